import {
  ConditionalCheckFailedException,
  GetItemCommand,
  PutItemCommand,
  type DynamoDBClient,
  type UpdateItemCommandInput,
} from '@aws-sdk/client-dynamodb';
import { marshall, unmarshall } from '@aws-sdk/util-dynamodb';
import { dynamoDbClient, startDynamoDb } from '../infra/local/aws/dynamodb.ts';
import { REDRIVE_LIMITS } from '../lambda/limits.ts';
import { officialAccounts, type OfficialAccounts } from '../lambda/official-accounts.ts';
import { severalAtATime } from '../lambda/sdk-client.ts';

export const TABLE = 'accounts';

export interface AccountsTable {
  /** Where the embedded DynamoDB is. */
  url: string;
  client: DynamoDBClient;
  name: string;
  /** The clients of the two below. */
  clientOf: Record<'accounts' | 'accountsAsOnAws', DynamoDBClient>;
  /** As dynalite is: a refused write doesn't say what stood in its way. */
  accounts: OfficialAccounts;
  /** As DynamoDB is: the error of a refused write holds the record. */
  accountsAsOnAws: OfficialAccounts;
  /** The calls so far, by their names. */
  calls: string[];
  put(record: Record<string, unknown>): Promise<void>;
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
  const calls: string[] = [];
  client.middlewareStack.add(
    (next, { commandName }) =>
      (args) => (calls.push(String(commandName)), next(args)),
    {
      step: 'initialize',
    },
  );
  const asOnAws = dynamoDbClient(dynamoDb.url);
  asOnAws.middlewareStack.add(
    (next, { commandName }) =>
      async (args) => {
        calls.push(String(commandName));
        const { TableName, Key, ReturnValuesOnConditionCheckFailure } = args.input as UpdateItemCommandInput;
        try {
          return await next(args);
        } catch (error) {
          const isWanted = ReturnValuesOnConditionCheckFailure === 'ALL_OLD';
          if (!isWanted || !(error instanceof ConditionalCheckFailedException)) throw error;
          const { Item } = await reader.send(new GetItemCommand({ TableName, Key, ConsistentRead: true }));
          throw Object.assign(error, { Item });
        }
      },
    { step: 'initialize' },
  );
  const reader = dynamoDbClient(dynamoDb.url);
  const inTime = severalAtATime(REDRIVE_LIMITS);
  return {
    url: dynamoDb.url,
    client,
    name: TABLE,
    clientOf: { accounts: client, accountsAsOnAws: asOnAws },
    accounts: officialAccounts(client, TABLE, inTime),
    accountsAsOnAws: officialAccounts(asOnAws, TABLE, inTime),
    calls,
    async put(record) {
      await reader.send(new PutItemCommand({ TableName: TABLE, Item: marshall(record) }));
    },
    async record(officialAccountId, sdkAppId = '1400000000') {
      const Key = { sdkAppId: { S: sdkAppId }, officialAccountId: { S: officialAccountId } };
      const { Item } = await reader.send(new GetItemCommand({ TableName: TABLE, Key }));
      return Item && unmarshall(Item);
    },
    async close() {
      for (const each of [client, asOnAws, reader]) each.destroy();
      await dynamoDb.close();
    },
  };
}
