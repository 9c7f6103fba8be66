import { App, Stack, type AppProps, type StackProps } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { AttributeType } from 'aws-cdk-lib/aws-dynamodb';
import { BUNDLING_STACKS } from 'aws-cdk-lib/cx-api';
import type { Construct } from 'constructs';
import { TencentChatWebhook, type TencentChatWebhookProps } from '../../infra/webhook.ts';
import { SDK_APP_ID } from '../delivery.ts';

type Props = Partial<TencentChatWebhookProps>;

export const ACCOUNT = '123456789012';
export const IRELAND = { env: { region: 'eu-west-1', account: ACCOUNT } };

/** CDK context without bundles of the functions, because bundling takes longer than the rest of the synthesis. */
export const WITHOUT_BUNDLES = { [BUNDLING_STACKS]: [] };

export const appWithoutBundles = ({ context, ...props }: AppProps = {}) =>
  new App({ ...props, context: { ...context, ...WITHOUT_BUNDLES } });

/** Creates the stack of a host app, which has none of this project's feature flags. */
export const hostStack = (props: StackProps = {}, app = appWithoutBundles()) => new Stack(app, 'Host', props);

/** Creates the construct, with the given props besides the SDKAppID. */
export const webhookIn = (scope: Construct, props: Props = {}, id = 'Webhook') =>
  new TencentChatWebhook(scope, id, { sdkAppId: SDK_APP_ID, ...props });

/** Creates the construct in a host stack. */
export function embedded(props: (stack: Stack) => Props = () => ({}), stackProps: StackProps = {}) {
  const stack = hostStack(stackProps);
  const webhook = webhookIn(stack, props(stack));
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
