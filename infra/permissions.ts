import { Annotations, Aws } from 'aws-cdk-lib';
import type { ITable } from 'aws-cdk-lib/aws-dynamodb';
import type { EventBus } from 'aws-cdk-lib/aws-events';
import { PolicyStatement, ServicePrincipal, type IRole } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import type { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import type { Construct } from 'constructs';

/** What a role may do: IAM actions, each with the resources that it may be done to. */
export type Permissions = { readonly [Name in Action]?: readonly Resource[] };

type Resource = ITable | IQueue | Secret | EventBus;

/**
 * The actions that a role can be given. Where a customer's key encrypts the resource, AWS asks the caller for these actions
 * on the key as well, by way of the service that the action belongs to.
 *
 * @see https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html
 * @see https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.usagenotes.html
 */
const KEY_ACTIONS = {
  'dynamodb:GetRecords': ['kms:Decrypt'],
  'dynamodb:UpdateItem': [
    'kms:Decrypt',
    'kms:DescribeKey',
    'kms:Encrypt',
    'kms:GenerateDataKey',
    'kms:GenerateDataKeyWithoutPlaintext',
    'kms:ReEncryptFrom',
    'kms:ReEncryptTo',
  ],
  'events:PutEvents': [],
  'secretsmanager:GetSecretValue': ['kms:Decrypt'],
  'sqs:ChangeMessageVisibility': [],
  'sqs:DeleteMessage': [],
  'sqs:GetQueueAttributes': [],
  'sqs:ReceiveMessage': ['kms:Decrypt'],
  'sqs:SendMessage': ['kms:Decrypt', 'kms:GenerateDataKey'],
} as const satisfies Record<string, readonly string[]>;

type Action = keyof typeof KEY_ACTIONS;

/** Lets a role do what it is listed for, and use the keys that this needs. */
export function permit(role: IRole, permissions: Permissions): void {
  for (const [action, resources] of Object.entries(permissions) as [Action, Resource[]][]) {
    role.addToPrincipalPolicy(new PolicyStatement({ actions: [action], resources: resources.map(arnOf) }));
    for (const resource of resources) permitKey(role, action, keyOf(resource));
  }
}

/** Lets a role read the table's stream, as an event source mapping does in its function's name. */
export function permitStream(role: IRole, table: ITable): void {
  role.addToPrincipalPolicy(
    new PolicyStatement({
      actions: ['DescribeStream', 'GetRecords', 'GetShardIterator', 'ListStreams'].map((name) => `dynamodb:${name}`),
      resources: [table.tableStreamArn ?? ''],
    }),
  );
  permitKey(role, 'dynamodb:GetRecords', table.encryptionKey);
}

/** Lets a role use the key, if there is one, as an action on what it encrypts needs it; not for anything else. */
export function permitKey(role: IRole, action: Action, key: IKey | undefined): void {
  const keyActions = KEY_ACTIONS[action];
  if (key === undefined || keyActions.length === 0) return;
  const [service] = action.split(':');
  role.addToPrincipalPolicy(
    new PolicyStatement({
      actions: [...keyActions],
      resources: [key.keyArn],
      // The name ends otherwise in China.
      conditions: { StringLike: { 'kms:ViaService': `${service}.${Aws.REGION}.amazonaws.com*` } },
    }),
  );
}

/**
 * Lets CloudWatch use the key: its log groups are encrypted with it, and its alarms go to a topic that is. The other
 * services use it in the name of their callers.
 *
 * @see https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html
 * @see https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
 */
export function permitCloudWatch(scope: Construct, key: IKey): void {
  const logGroups = `arn:${Aws.PARTITION}:logs:${Aws.REGION}:${Aws.ACCOUNT_ID}:log-group:*`;
  const logs = key.addToResourcePolicy(
    new PolicyStatement({
      principals: [new ServicePrincipal(`logs.${Aws.REGION}.amazonaws.com`)],
      actions: ['kms:Encrypt', 'kms:Decrypt', 'kms:ReEncrypt*', 'kms:GenerateDataKey*', 'kms:Describe*'],
      resources: ['*'], // in a key's own policy: the key
      conditions: { ArnLike: { 'kms:EncryptionContext:aws:logs:arn': logGroups } },
    }),
  );
  key.addToResourcePolicy(
    new PolicyStatement({
      principals: [new ServicePrincipal('cloudwatch.amazonaws.com')],
      actions: ['kms:Decrypt', 'kms:GenerateDataKey*'],
      resources: ['*'],
      conditions: { StringEquals: { 'aws:SourceAccount': Aws.ACCOUNT_ID } },
    }),
  );
  if (!logs.statementAdded) {
    Annotations.of(scope).addWarningV2(
      'tencent-chat-webhook:imported-key',
      'The policy of encryptionKey belongs to another app. It must let logs.REGION.amazonaws.com encrypt and decrypt, or ' +
        'the log groups are not created, and cloudwatch.amazonaws.com decrypt and generate data keys, or no alarm ' +
        'reaches its topic.',
    );
  }
}

function arnOf(resource: Resource): string {
  if ('tableArn' in resource) return resource.tableArn;
  if ('eventBusArn' in resource) return resource.eventBusArn;
  return 'queueArn' in resource ? resource.queueArn : resource.secretArn;
}

function keyOf(resource: Resource): IKey | undefined {
  if ('eventBusArn' in resource) return undefined;
  return 'queueArn' in resource ? resource.encryptionMasterKey : resource.encryptionKey;
}
