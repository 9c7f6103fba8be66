import { Annotations, Aws } from 'aws-cdk-lib';
import type { ITable } from 'aws-cdk-lib/aws-dynamodb';
import { PolicyStatement, ServicePrincipal, type IRole } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import type { ISecret } from 'aws-cdk-lib/aws-secretsmanager';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import type { Construct } from 'constructs';

/** Permissions of a role: IAM actions, each with its resources. */
export type Permissions = { readonly [Name in Action]?: readonly Resource[] };

type Resource = ITable | IQueue | ISecret;

/**
 * The actions that roles can get. If a customer-managed key encrypts the resource, the role needs the listed actions on
 * the key as well, through the service of the action.
 *
 * CDK's `grant…` methods would give more: `grantSendMessages` adds GetQueueAttributes and GetQueueUrl, `grantRead` of a
 * secret adds DescribeSecret, and all of them give the actions on the key without `kms:ViaService`.
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
  'secretsmanager:GetSecretValue': ['kms:Decrypt'],
  'sqs:ChangeMessageVisibility': [],
  'sqs:DeleteMessage': [],
  'sqs:GetQueueAttributes': [],
  'sqs:ReceiveMessage': ['kms:Decrypt'],
  'sqs:SendMessage': ['kms:Decrypt', 'kms:GenerateDataKey'],
} as const satisfies Record<string, readonly string[]>;

type Action = keyof typeof KEY_ACTIONS;

/** Grants the permissions to a role, with the permissions on the keys that they need. */
export function permit(role: IRole, permissions: Permissions): void {
  for (const [action, resources] of Object.entries(permissions) as [Action, Resource[]][]) {
    role.addToPrincipalPolicy(new PolicyStatement({ actions: [action], resources: resources.map(arnOf) }));
    for (const resource of resources) permitKey(role, action, keyOf(resource));
  }
}

/** Grants a function's role the permissions with which an event source mapping reads the table's stream. */
export function permitStream(role: IRole, table: ITable): void {
  role.addToPrincipalPolicy(
    new PolicyStatement({
      actions: ['DescribeStream', 'GetRecords', 'GetShardIterator', 'ListStreams'].map((name) => `dynamodb:${name}`),
      resources: [table.tableStreamArn ?? ''],
    }),
  );
  permitKey(role, 'dynamodb:GetRecords', table.encryptionKey);
}

/** Grants a role the use of a key, if there is one, only as far as the given action needs it. */
export function permitKey(role: IRole, action: Action, key: IKey | undefined): void {
  const keyActions = KEY_ACTIONS[action];
  if (key === undefined || keyActions.length === 0) return;
  const [service] = action.split(':');
  role.addToPrincipalPolicy(
    new PolicyStatement({
      actions: [...keyActions],
      resources: [key.keyArn],
      // In China, the service's name has another ending.
      conditions: { StringLike: { 'kms:ViaService': `${service}.${Aws.REGION}.amazonaws.com*` } },
    }),
  );
}

/**
 * Grants CloudWatch the use of the key, for encrypted log groups and for alarms to an encrypted topic. The other
 * services use the key on behalf of their callers.
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
      resources: ['*'], // in the policy of a key, '*' means this key
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
      'The policy of encryptionKey cannot be changed from this app. It must let logs.REGION.amazonaws.com encrypt and ' +
        'decrypt; otherwise the log groups are not created. It must let cloudwatch.amazonaws.com decrypt and generate ' +
        'data keys; otherwise no alarm reaches its topic.',
    );
  }
}

function arnOf(resource: Resource): string {
  if ('tableArn' in resource) return resource.tableArn;
  if ('queueArn' in resource) return resource.queueArn;
  // A secret that was found by its name has no full ARN, which ends in a hyphen and six characters.
  return resource.secretFullArn ?? `${resource.secretArn}-??????`;
}

function keyOf(resource: Resource): IKey | undefined {
  return 'queueArn' in resource ? resource.encryptionMasterKey : resource.encryptionKey;
}
