import cdk from 'aws-cdk-lib/package.json' with { type: 'json' };
import { SettingsError } from './settings.ts';

/** Minor version of aws-cdk-lib 2 since which API Gateway's HTTP stages have all that the construct needs. */
export const OLDEST_CDK_MINOR = 190;

/** @throws SettingsError if the host app's aws-cdk-lib is too old, because the construct would fail with an unclear error. */
export function checkCdkVersion(version: string = cdk.version): void {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > 2 || minor >= OLDEST_CDK_MINOR) return;
  throw new SettingsError(
    `aws-cdk-lib is ${version}, but TencentChatWebhook needs 2.${OLDEST_CDK_MINOR}.0 or newer: ` +
      'run npm install aws-cdk-lib@latest',
  );
}
