import { App } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { featureFlags } from '../../infra/local/synthesize.ts';
import { readSettings } from '../../infra/settings.ts';
import { WebhookStack } from '../../infra/stack.ts';
import { SDK_APP_ID } from '../delivery.ts';

/** Synthesizes the stack without cdk-nag, which takes longer than the synthesis. @param context beside the SDKAppID. */
export function synthesized(context: Record<string, string> = {}): Template {
  const { stage, ...settings } = readSettings({ sdkAppId: SDK_APP_ID, ...context });
  const name = ['TencentChatWebhook', stage].filter((part) => part !== undefined).join('-');
  return Template.fromStack(new WebhookStack(new App({ context: featureFlags() }), name, settings));
}
