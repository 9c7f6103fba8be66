import { CfnDeletionPolicy, CfnResource, Lazy, Stack, Token, type RemovalPolicy } from 'aws-cdk-lib';
import {
  AttributeType,
  Billing,
  StreamViewType,
  TableEncryptionV2,
  TableV2,
  type CfnGlobalTable,
  type CfnTable,
  type ITable,
} from 'aws-cdk-lib/aws-dynamodb';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import type { Construct } from 'constructs';

const PARTITION_KEY = { name: 'sdkAppId', type: AttributeType.STRING };
const SORT_KEY = { name: 'officialAccountId', type: AttributeType.STRING };
/** The publisher compares a record with its old image, to recognize which event a change comes from. */
const STREAM = StreamViewType.NEW_AND_OLD_IMAGES;

/** Creates the table of official accounts. */
export function officialAccounts(
  scope: Construct,
  { encryptionKey, removalPolicy }: { encryptionKey: IKey | undefined; removalPolicy: RemovalPolicy },
): TableV2 {
  const table = new TableV2(scope, 'OfficialAccounts', {
    partitionKey: PARTITION_KEY,
    sortKey: SORT_KEY,
    billing: Billing.onDemand(),
    pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
    dynamoStream: STREAM,
    ...(encryptionKey !== undefined && { encryption: TableEncryptionV2.customerManagedKey(encryptionKey) }),
    removalPolicy,
  });
  protectIfRetained(table);
  return table;
}

/**
 * Protects a retained table against deletion, because Chat has no REST call that lists official accounts: a lost table
 * cannot be rebuilt. With another policy, CloudFormation must be able to delete it. The policy is read at synthesis,
 * because `RemovalPolicies.of(scope)` may change it.
 */
function protectIfRetained(table: TableV2): void {
  const resource = table.node.defaultChild as CfnGlobalTable;
  const isRetained = Lazy.any({ produce: () => resource.cfnOptions.deletionPolicy === CfnDeletionPolicy.RETAIN });
  resource.addPropertyOverride('Replicas.0.DeletionProtectionEnabled', isRetained);
}

const TABLE_TYPES: ReadonlySet<string> = new Set(['AWS::DynamoDB::Table', 'AWS::DynamoDB::GlobalTable']);

/**
 * Checks the key and the stream of a table. For an imported table it can only check that there is a stream, and that it is
 * the stream of this table.
 *
 * @returns The problems of the table.
 */
export function tableProblems(table: ITable): string[] {
  const noStream = `table has no stream: it needs one of the type ${STREAM}`;
  const resource = table.node.defaultChild;
  // Not instanceof: with two copies of aws-cdk-lib, the table's class is another one.
  if (!CfnResource.isCfnResource(resource) || !TABLE_TYPES.has(resource.cfnResourceType)) {
    const { tableArn, tableStreamArn } = table;
    if (tableStreamArn === undefined) return [noStream];
    if (Token.isUnresolved(tableArn) || Token.isUnresolved(tableStreamArn)) return [];
    if (tableStreamArn.startsWith(`${tableArn}/stream/`)) return [];
    return [
      `table is ${tableArn}, but has the stream of another table, ${tableStreamArn}: give tableStreamArn of this table`,
    ];
  }
  const { keySchema, attributeDefinitions, streamSpecification } = resource as CfnTable | CfnGlobalTable;
  const { keys, attributes, stream } = Stack.of(table).resolve({
    keys: keySchema,
    attributes: attributeDefinitions,
    stream: streamSpecification,
  });
  const types = new Map(
    (attributes as CfnTable.AttributeDefinitionProperty[]).map(({ attributeName, attributeType }) => [
      attributeName,
      attributeType,
    ]),
  );
  const key = (keys as CfnTable.KeySchemaProperty[])
    .map(({ attributeName }) => `${attributeName} (${types.get(attributeName)})`)
    .join(' and ');
  const rightKey = [PARTITION_KEY, SORT_KEY].map(({ name, type }) => `${name} (${type})`).join(' and ');
  const problems: string[] = [];
  if (stream === undefined) problems.push(noStream);
  else if (stream.streamViewType !== STREAM) {
    problems.push(`table has a stream of the type ${stream.streamViewType}: it needs ${STREAM}`);
  }
  if (key !== rightKey) problems.push(`table has the key ${key}: it needs ${rightKey}`);
  return problems;
}
