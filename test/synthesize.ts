import { synthesizeTo } from '../infra/local/synthesize.ts';

/** Writes a cloud assembly: node test/synthesize.ts DIRECTORY CONTEXT */
const [directory = '', context = '{}'] = process.argv.slice(2);
synthesizeTo(directory, { sdkAppId: '1400000000', ...JSON.parse(context) });
