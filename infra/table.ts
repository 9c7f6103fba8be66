import { RemovalPolicy, Stack } from 'aws-cdk-lib';
import {
  AttributeType,
  Billing,
  CfnGlobalTable,
  CfnTable,
  StreamViewType,
  TableEncryptionV2,
  TableV2,
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
  return new TableV2(scope, 'OfficialAccounts', {
    partitionKey: PARTITION_KEY,
    sortKey: SORT_KEY,
    billing: Billing.onDemand(),
    pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
    dynamoStream: STREAM,
    ...(encryptionKey !== undefined && { encryption: TableEncryptionV2.customerManagedKey(encryptionKey) }),
    // Chat has no REST call that lists official accounts, so a lost table cannot be rebuilt.
    deletionProtection: removalPolicy !== RemovalPolicy.DESTROY,
    removalPolicy,
  });
}

/**
 * Checks the key and the stream of a table. For an imported table it can only check that there is a stream.
 *
 * @returns The problems of the table.
 */
export function tableProblems(table: ITable): string[] {
  const noStream = `table has no stream: it needs one of the type ${STREAM}`;
  const resource = table.node.defaultChild;
  if (!(resource instanceof CfnTable || resource instanceof CfnGlobalTable)) {
    return table.tableStreamArn === undefined ? [noStream] : [];
  }
  const { keySchema, attributeDefinitions, streamSpecification } = resource;
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
