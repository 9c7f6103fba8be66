import { DeleteItemCommand, GetItemCommand, PutItemCommand, type DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { marshall, unmarshall } from '@aws-sdk/util-dynamodb';
import { dynamoDbClient, startDynamoDb } from '../infra/local/aws/dynamodb.ts';
import { BACKGROUND_LIMITS } from '../lambda/limits.ts';
import { officialAccountsTable, type OfficialAccounts } from '../lambda/official-accounts-table.ts';
import { abortAtDeadline } from '../lambda/sdk-client.ts';

export const TABLE = 'accounts';

export interface AccountsTable {
  /** URL of the embedded DynamoDB. */
  url: string;
  /** The client of `accounts`. */
  client: DynamoDBClient;
  name: string;
  accounts: OfficialAccounts;
  /** Names of the calls that `client` has made. */
  calls: string[];
  put(record: Record<string, unknown>): Promise<void>;
  delete(officialAccountId: string): Promise<void>;
  record(officialAccountId: string, sdkAppId?: string): Promise<Record<string, unknown> | undefined>;
  close(): Promise<void>;
}

/** Starts an embedded DynamoDB with a table of official accounts, which has the stack's keys. */
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
  const calls: string[] = [];
  client.middlewareStack.add(
    (next, { commandName }) =>
      (args) => (calls.push(String(commandName)), next(args)),
    {
      step: 'initialize',
    },
  );
  const reader = dynamoDbClient(dynamoDb.url);
  const keyOf = (officialAccountId: string, sdkAppId = '1400000000') => ({
    TableName: TABLE,
    Key: { sdkAppId: { S: sdkAppId }, officialAccountId: { S: officialAccountId } },
  });
  return {
    url: dynamoDb.url,
    client,
    name: TABLE,
    accounts: officialAccountsTable(client, TABLE, abortAtDeadline(BACKGROUND_LIMITS)),
    calls,
    async put(record) {
      await reader.send(
        new PutItemCommand({ TableName: TABLE, Item: marshall(record, { removeUndefinedValues: true }) }),
      );
    },
    async delete(officialAccountId) {
      await reader.send(new DeleteItemCommand(keyOf(officialAccountId)));
    },
    async record(officialAccountId, sdkAppId) {
      const { Item } = await reader.send(new GetItemCommand(keyOf(officialAccountId, sdkAppId)));
      return Item && unmarshall(Item);
    },
    async close() {
      for (const each of [client, reader]) each.destroy();
      await dynamoDb.close();
    },
  };
}
