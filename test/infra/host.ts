import { App, Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { AttributeType } from 'aws-cdk-lib/aws-dynamodb';
import { TencentChatWebhook, type TencentChatWebhookProps } from '../../infra/webhook.ts';
import { SDK_APP_ID } from '../delivery.ts';

/** Creates the stack of a host app, which has none of this project's feature flags. */
export function hostStack(outdir?: string, region?: string): Stack {
  const app = new App(outdir === undefined ? {} : { outdir });
  return new Stack(app, 'Host', region === undefined ? {} : { env: { region } });
}

/** Creates the construct in a host stack, with the given props besides the SDKAppID. */
export function embedded(props: (stack: Stack) => Partial<TencentChatWebhookProps> = () => ({}), region?: string) {
  const stack = hostStack(undefined, region);
  const webhook = new TencentChatWebhook(stack, 'Webhook', { sdkAppId: SDK_APP_ID, ...props(stack) });
  return { stack, webhook, template: Template.fromStack(stack) };
}

/** Keys of a table that the construct accepts. */
export const KEYS = {
  partitionKey: { name: 'sdkAppId', type: AttributeType.STRING },
  sortKey: { name: 'officialAccountId', type: AttributeType.STRING },
};

export const TABLE_ARN = 'arn:aws:dynamodb:eu-west-1:123456789012:table/accounts';
export const STREAM_ARN = `${TABLE_ARN}/stream/2026-11-25T00:00:00.000`;

/** Returns a property of all resources of a type. */
export function propertiesOf(stack: Stack, type: string, property: string) {
  const resources = Object.values(Template.fromStack(stack).findResources(type));
  return resources.flatMap(({ Properties }) => Properties[property] ?? []);
}
