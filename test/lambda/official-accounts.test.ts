import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { DynamoDBClient, GetItemCommand } from '@aws-sdk/client-dynamodb';
import { unmarshall } from '@aws-sdk/util-dynamodb';
import { dynamoDbClient, startDynamoDb } from '../../infra/local/dynamodb.ts';
import type { Loopback } from '../../infra/local/loopback.ts';
import { REDRIVE_LIMITS } from '../../lambda/limits.ts';
import { officialAccounts, type OfficialAccount, type OfficialAccounts } from '../../lambda/official-accounts.ts';

const TABLE = 'accounts';
let dynamoDb: Loopback;
let client: DynamoDBClient;
let table: OfficialAccounts;

beforeAll(async () => {
  dynamoDb = await startDynamoDb([
    {
      TableName: TABLE,
      AttributeDefinitions: [
        { AttributeName: 'sdkAppId', AttributeType: 'S' },
        { AttributeName: 'officialAccountId', AttributeType: 'S' },
      ],
      KeySchema: [
        { AttributeName: 'sdkAppId', KeyType: 'HASH' },
        { AttributeName: 'officialAccountId', KeyType: 'RANGE' },
      ],
      BillingMode: 'PAY_PER_REQUEST',
    },
  ]);
  client = dynamoDbClient(dynamoDb.url);
  table = officialAccounts(client, TABLE, REDRIVE_LIMITS);
});
afterAll(async () => {
  client.destroy();
  await dynamoDb.close();
});

function account(officialAccountId: string, eventTime: number): OfficialAccount {
  return {
    sdkAppId: '1400000000',
    officialAccountId,
    name: `新闻 ${eventTime}`,
    ownerAccount: '107867',
    operatorAccount: '107867',
    createdTime: eventTime,
    eventTime,
    receivedTime: eventTime + 100,
    clientIp: '203.0.113.7',
    optPlatform: 'RESTAPI',
  };
}

async function record(officialAccountId: string, sdkAppId = '1400000000') {
  const { Item } = await client.send(
    new GetItemCommand({
      TableName: TABLE,
      Key: { sdkAppId: { S: sdkAppId }, officialAccountId: { S: officialAccountId } },
    }),
  );
  return Item && unmarshall(Item);
}

test.each(['@TOA#_news', '#TOA#_ two  spaces ', '@TOA#_新闻😀', 'x'.repeat(1024)])(
  'an official account is stored under its ID, byte for byte: %s',
  async (id) => {
    expect(await table.upsert(account(id, 1000))).toBe('stored');
    expect(await record(id)).toEqual(account(id, 1000));
  },
);

test('a delivery that comes twice is stored once, and the repeat changes no attribute', async () => {
  const first = account('twice', 1000);
  expect(await table.upsert(first)).toBe('stored');
  expect(await table.upsert({ ...first, receivedTime: 9999, name: 'other', clientIp: undefined })).toBe('stale');
  expect(await record('twice')).toEqual(first);
});

test('an older event changes nothing', async () => {
  await table.upsert(account('older', 2000));
  expect(await table.upsert(account('older', 1999))).toBe('stale');
  expect(await record('older')).toEqual(account('older', 2000));
});

test('nothing of an older event remains in the record of a newer one', async () => {
  await table.upsert(account('newer', 1000));
  const { clientIp: _, optPlatform: __, ...newer } = account('newer', 2000);
  expect(await table.upsert({ ...newer, clientIp: undefined, optPlatform: undefined })).toBe('stored');
  expect(await record('newer')).toEqual(newer);
});

test('the same ID in two apps is two official accounts', async () => {
  await table.upsert(account('shared', 1000));
  await table.upsert({ ...account('shared', 500), sdkAppId: '1400000001' });
  expect((await record('shared'))?.['eventTime']).toBe(1000);
  expect((await record('shared', '1400000001'))?.['eventTime']).toBe(500);
});

test('what DynamoDB refuses for another reason than the condition is thrown', async () => {
  await expect(officialAccounts(client, 'nowhere', REDRIVE_LIMITS).upsert(account('a', 1))).rejects.toMatchObject({
    name: 'ResourceNotFoundException',
  });
});
