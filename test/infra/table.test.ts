import { describe, expect, test } from '@jest/globals';
import { RemovalPolicies, RemovalPolicy, type Stack } from 'aws-cdk-lib';
import { Annotations, Match, Template } from 'aws-cdk-lib/assertions';
import { AttributeType, StreamViewType, Table, TableEncryption, TableV2 } from 'aws-cdk-lib/aws-dynamodb';
import { Key } from 'aws-cdk-lib/aws-kms';
import type { TencentChatWebhookProps } from '../../infra/webhook.ts';
import { embedded, hostStack, KEYS, STREAM_ARN, TABLE_ARN, webhookIn } from './host.ts';
import { permissions } from './permissions.ts';

const ownTable = (stack: Stack) =>
  new TableV2(stack, 'Accounts', { ...KEYS, dynamoStream: StreamViewType.NEW_AND_OLD_IMAGES });

const foreignKey = (stack: Stack) =>
  Key.fromKeyArn(stack, 'Key', 'arn:aws:kms:eu-west-1:123456789012:key/0a1b2c3d-0a1b-0a1b-0a1b-0a1b2c3d4e5f');

describe('with an existing table, the construct', () => {
  test('writes to it, reads its stream and creates no other', () => {
    const { template, webhook, stack } = embedded((scope) => ({
      table: ownTable(scope),
      encryptionKey: foreignKey(scope),
    }));
    template.resourceCountIs('AWS::DynamoDB::GlobalTable', 1);
    expect(permissions(template, 'WebhookReceiver')).toContainEqual(['dynamodb:UpdateItem', 'Accounts']);
    expect(permissions(template, 'WebhookRedrive')).toContainEqual(['dynamodb:UpdateItem', 'Accounts']);
    expect(permissions(template, 'WebhookPublisher')).toContainEqual(['dynamodb:GetRecords', 'Accounts']);
    template.hasResourceProperties('AWS::Lambda::Function', {
      Environment: { Variables: Match.objectLike({ TABLE_NAME: stack.resolve(webhook.table.tableName) }) },
    });
    // The key of the other resources is imported, so its policy can't be changed from this app.
    const warning = Match.stringLikeRegexp('The policy of encryptionKey cannot be changed from this app');
    expect(Annotations.fromStack(stack).findWarning('/Host/Webhook', warning)).toHaveLength(1);
  });

  test('may use the key of the table', () => {
    const { template } = embedded((scope) => ({
      table: new Table(scope, 'Accounts', {
        ...KEYS,
        stream: StreamViewType.NEW_AND_OLD_IMAGES,
        encryption: TableEncryption.CUSTOMER_MANAGED,
      }),
    }));
    expect(permissions(template, 'WebhookReceiver')).toContainEqual(['kms:Encrypt', 'AccountsKey']);
    expect(permissions(template, 'WebhookPublisher')).toContainEqual(['kms:Decrypt', 'AccountsKey']);
  });

  test('accepts a table that was imported with its stream', () => {
    const { template } = embedded((scope) => ({
      table: Table.fromTableAttributes(scope, 'Accounts', {
        tableArn: TABLE_ARN,
        tableStreamArn: STREAM_ARN,
      }),
    }));
    template.resourceCountIs('AWS::DynamoDB::GlobalTable', 0);
    template.hasResourceProperties('AWS::Lambda::EventSourceMapping', { EventSourceArn: STREAM_ARN });
  });

  test.each<[string, (stack: Stack) => Partial<TencentChatWebhookProps>, string]>([
    [
      'without a stream',
      (stack) => ({ table: new TableV2(stack, 'T', KEYS) }),
      'table has no stream: it needs one of the type NEW_AND_OLD_IMAGES',
    ],
    [
      'imported without its stream',
      (stack) => ({ table: Table.fromTableName(stack, 'T', 'accounts') }),
      'table has no stream: ',
    ],
    [
      'with a stream of new images only',
      (stack) => ({ table: new TableV2(stack, 'T', { ...KEYS, dynamoStream: StreamViewType.NEW_IMAGE }) }),
      'table has a stream of the type NEW_IMAGE: it needs NEW_AND_OLD_IMAGES',
    ],
    [
      'of CDK’s class Table with a stream of keys only',
      (stack) => ({ table: new Table(stack, 'T', { ...KEYS, stream: StreamViewType.KEYS_ONLY }) }),
      'table has a stream of the type KEYS_ONLY: it needs NEW_AND_OLD_IMAGES',
    ],
    [
      'with another key',
      (stack) => ({
        table: new TableV2(stack, 'T', {
          partitionKey: { name: 'id', type: AttributeType.STRING },
          dynamoStream: StreamViewType.NEW_AND_OLD_IMAGES,
        }),
      }),
      'table has the key id (S): it needs sdkAppId (S) and officialAccountId (S)',
    ],
    [
      'with a key of another type',
      (stack) => ({
        table: new TableV2(stack, 'T', {
          ...KEYS,
          partitionKey: { name: 'sdkAppId', type: AttributeType.NUMBER },
          dynamoStream: StreamViewType.NEW_AND_OLD_IMAGES,
        }),
      }),
      'table has the key sdkAppId (N) and officialAccountId (S): it needs sdkAppId (S) and officialAccountId (S)',
    ],
  ])('rejects a table %s', (_what, props, problem) => {
    expect(() => embedded(props)).toThrow(`The props of Host/Webhook are wrong:\n- ${problem}`);
  });
});

describe('a new table', () => {
  const protection = (stack: Stack) => {
    const [resource] = Object.values(Template.fromStack(stack).findResources('AWS::DynamoDB::GlobalTable'));
    return [resource?.['DeletionPolicy'], resource?.['Properties'].Replicas[0].DeletionProtectionEnabled];
  };

  test.each<[string, Partial<TencentChatWebhookProps>, unknown[]]>([
    ['RETAIN', { removalPolicy: RemovalPolicy.RETAIN }, ['Retain', true]],
    [
      'RETAIN_ON_UPDATE_OR_DELETE',
      { removalPolicy: RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE },
      ['RetainExceptOnCreate', false],
    ],
    ['DESTROY', { removalPolicy: RemovalPolicy.DESTROY }, ['Delete', false]],
  ])('with %s can be deleted if CloudFormation must delete it', (_what, props, expected) => {
    const { stack } = embedded(() => props);
    expect(protection(stack)).toEqual(expected);
  });

  test('follows the removal policy that the host app sets for all its resources', () => {
    const stack = hostStack();
    webhookIn(stack);
    RemovalPolicies.of(stack).destroy();
    expect(protection(stack)).toEqual(['Delete', false]);
  });
});
