import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { GetItemCommand } from '@aws-sdk/client-dynamodb';
import { unmarshall } from '@aws-sdk/util-dynamodb';
import { dynamoDbClient, startDynamoDb } from '../infra/local/aws/dynamodb.ts';
import { REDRIVE_LIMITS } from '../lambda/limits.ts';
import { officialAccounts, type OfficialAccounts } from '../lambda/official-accounts.ts';
import { severalAtATime } from '../lambda/sdk-client.ts';

const TABLE = 'accounts';

export interface AccountsTable {
  client: DynamoDBClient;
  accounts: OfficialAccounts;
  record(officialAccountId: string, sdkAppId?: string): Promise<Record<string, unknown> | undefined>;
  close(): Promise<void>;
}

/** A table of official accounts in an embedded DynamoDB, its keys as the stack has them. */
export async function startAccountsTable(): Promise<AccountsTable> {
  const keys = ['sdkAppId', 'officialAccountId'];
  const dynamoDb = await startDynamoDb([
    {
      TableName: TABLE,
      AttributeDefinitions: keys.map((AttributeName) => ({ AttributeName, AttributeType: 'S' })),
      KeySchema: keys.map((AttributeName, index) => ({ AttributeName, KeyType: index === 0 ? 'HASH' : 'RANGE' })),
      BillingMode: 'PAY_PER_REQUEST',
    },
  ]);
  const client = dynamoDbClient(dynamoDb.url);
  return {
    client,
    accounts: officialAccounts(client, TABLE, severalAtATime(REDRIVE_LIMITS)),
    async record(officialAccountId, sdkAppId = '1400000000') {
      const Key = { sdkAppId: { S: sdkAppId }, officialAccountId: { S: officialAccountId } };
      const { Item } = await client.send(new GetItemCommand({ TableName: TABLE, Key }));
      return Item && unmarshall(Item);
    },
    async close() {
      client.destroy();
      await dynamoDb.close();
    },
  };
}
