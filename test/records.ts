import { paginateScan } from '@aws-sdk/client-dynamodb';
import { unmarshall } from '@aws-sdk/util-dynamodb';
import { dynamoDbClient } from '../infra/local/aws/dynamodb.ts';

/** Reads all records of a table. */
export async function recordsOf(dynamoDbUrl: string, tableName: string): Promise<Record<string, unknown>[]> {
  const client = dynamoDbClient(dynamoDbUrl);
  try {
    const records: Record<string, unknown>[] = [];
    for await (const { Items = [] } of paginateScan({ client }, { TableName: tableName, ConsistentRead: true })) {
      records.push(...Items.map((item) => unmarshall(item)));
    }
    return records;
  } finally {
    client.destroy();
  }
}

/** Reads the record of an official account. Undefined if there is none. */
export async function recordOf(dynamoDbUrl: string, tableName: string, officialAccountId: string) {
  const records = await recordsOf(dynamoDbUrl, tableName);
  return records.find((record) => record['officialAccountId'] === officialAccountId);
}
