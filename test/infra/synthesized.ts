import { Template } from 'aws-cdk-lib/assertions';
import { featureFlags } from '../../infra/local/synthesize.ts';
import { readSettings } from '../../infra/settings.ts';
import { stackName, WebhookStack } from '../../infra/stack.ts';
import { SDK_APP_ID } from '../delivery.ts';
import { appWithoutBundles } from './host.ts';

/**
 * Synthesizes the stack without cdk-nag, which takes longer than the synthesis.
 *
 * @param context CDK context besides the SDKAppID.
 */
export function synthesized(context: Record<string, string> = {}): Template {
  const { stage, ...settings } = readSettings({ sdkAppId: SDK_APP_ID, ...context });
  return Template.fromStack(
    new WebhookStack(appWithoutBundles({ context: featureFlags() }), stackName(stage), settings),
  );
}
