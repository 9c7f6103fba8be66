import { SDK_APP_ID } from './delivery.ts';
import { synthesizeTo } from '../infra/local/synthesize.ts';

/** Writes a cloud assembly: node test/synthesize.ts DIRECTORY CONTEXT */
const [directory = '', context = '{}'] = process.argv.slice(2);
synthesizeTo(directory, { sdkAppId: SDK_APP_ID, ...JSON.parse(context) });
