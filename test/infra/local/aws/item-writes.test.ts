import { crc32 } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import {
  ConditionalCheckFailedException,
  DeleteItemCommand,
  PutItemCommand,
  UpdateItemCommand,
  type AttributeValue,
  type CreateTableInput,
  type DynamoDBClient,
} from '@aws-sdk/client-dynamodb';
import { dynamoDbClient, startDynamoDb } from '../../../../infra/local/aws/dynamodb.ts';
import type { Loopback } from '../../../../infra/local/aws/loopback.ts';

const TableName = 'items';
const TABLE: CreateTableInput = {
  TableName,
  AttributeDefinitions: ['kind', 'id'].map((AttributeName) => ({ AttributeName, AttributeType: 'S' })),
  KeySchema: [
    { AttributeName: 'kind', KeyType: 'HASH' },
    { AttributeName: 'id', KeyType: 'RANGE' },
  ],
  BillingMode: 'PAY_PER_REQUEST',
};
let store: Loopback;
let client: DynamoDBClient;
beforeAll(async () => {
  store = await startDynamoDb([TABLE]);
  client = dynamoDbClient(store.url);
});
afterAll(async () => {
  client.destroy();
  await store.close();
});

type Item = Record<string, AttributeValue>;
const keyOf = (id: string): Item => ({ kind: { S: '类' }, id: { S: id } });
const itemOf = (id: string, n: number): Item => ({ ...keyOf(id), n: { N: String(n) }, name: { S: `第"${n}"号` } });
const put = (Item: Item) => client.send(new PutItemCommand({ TableName, Item }));

/** Writes of item `id`, on the condition that its `n` is less than this one. */
const newer = (n: number) =>
  ({
    TableName,
    ConditionExpression: 'n < :n',
    ExpressionAttributeValues: { ':n': { N: String(n) } },
    ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
  }) as const;
const writesOf = (id: string, n: number) => ({
  PutItem: new PutItemCommand({ ...newer(n), Item: itemOf(id, n) }),
  UpdateItem: new UpdateItemCommand({ ...newer(n), Key: keyOf(id), UpdateExpression: 'SET n = :n' }),
  DeleteItem: new DeleteItemCommand({ ...newer(n), Key: keyOf(id) }),
});
type Write = ReturnType<typeof writesOf>[keyof ReturnType<typeof writesOf>];

/** Returns the error of a write whose condition fails, or undefined if it succeeds. */
async function failedCondition(command: Write): Promise<ConditionalCheckFailedException | undefined> {
  try {
    await client.send(command as UpdateItemCommand);
    return undefined;
  } catch (error) {
    if (!(error instanceof ConditionalCheckFailedException)) throw error;
    return error;
  }
}

const OPERATIONS = ['PutItem', 'UpdateItem', 'DeleteItem'] as const;

test.each(OPERATIONS)('%s whose condition fails returns the item, and changes nothing', async (operation) => {
  await put(itemOf(operation, 5));
  for (const n of [4, 5]) {
    expect(await failedCondition(writesOf(operation, n)[operation])).toMatchObject({
      message: 'The conditional request failed',
      Item: itemOf(operation, 5),
    });
  }
  expect(await failedCondition(writesOf(operation, 6)[operation])).toBeUndefined();
});

test.each(OPERATIONS)('%s whose condition fails returns no item if there is none', async (operation) => {
  const error = await failedCondition(writesOf('nowhere', 1)[operation]);
  expect(error).toBeInstanceOf(ConditionalCheckFailedException);
  expect(error?.Item).toBeUndefined();
});

test.each(['NONE', undefined] as const)('a failed write that asks for %s gets no item', async (wanted) => {
  await put(itemOf('not asked for', 5));
  const { UpdateItem } = writesOf('not asked for', 1);
  Object.assign(UpdateItem.input, { ReturnValuesOnConditionCheckFailure: wanted });
  const error = await failedCondition(UpdateItem);
  expect(error).toBeInstanceOf(ConditionalCheckFailedException);
  expect(error?.Item).toBeUndefined();
});

test('an error for another reason than the condition has no item, even if its text mentions a condition', async () => {
  await put(itemOf('other', 5));
  const { UpdateItem } = writesOf('other', 1);
  Object.assign(UpdateItem.input, { UpdateExpression: 'SET #ConditionalCheckFailedException = :n' });
  const error = await client.send(UpdateItem).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({
    name: 'ValidationException',
    message: expect.stringContaining('#ConditionalCheckFailedException'),
  });
  expect(error).not.toHaveProperty('Item');
});

test('of many concurrent writes of one item, each failed one gets the item that failed its condition', async () => {
  const id = 'at once';
  await put(itemOf(id, 0));
  const numbers = Array.from({ length: 200 }, (_, index) => 1 + ((index * 73) % 100)); // each number twice, in mixed order
  const errors = await Promise.all(
    numbers.map((n, index) => failedCondition(writesOf(id, n)[index % 2 === 0 ? 'PutItem' : 'UpdateItem'])),
  );
  const failed = errors.flatMap((error, index) => (error ? [[numbers[index], Number(error.Item?.['n']?.N)]] : []));
  expect(failed.length).toBeGreaterThanOrEqual(100);
  for (const [n = NaN, found = NaN] of failed) expect(found).toBeGreaterThanOrEqual(n);
});

/** Sends an operation without the SDK. */
const send = (operation: string, body: string) =>
  fetch(store.url, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-amz-json-1.0',
      'x-amz-target': `DynamoDB_20120810.${operation}`,
      'x-amz-date': 'x',
      authorization: 'AWS4-HMAC-SHA256 Credential=a/b/c/d/e, Signature=x, SignedHeaders=host',
    },
    body,
  });

test('a write that breaks dynalite does not block later ones', async () => {
  expect((await send('UpdateItem', '{"Key":null}')).status).toBe(400);
  await put(itemOf('after', 1));
});

test('the answer with the item has the correct length and checksum, which some SDKs verify', async () => {
  await put(itemOf('checksum', 5));
  const answer = await send('UpdateItem', JSON.stringify(writesOf('checksum', 1).UpdateItem.input));
  const content = Buffer.from(await answer.arrayBuffer());
  expect(JSON.parse(content.toString())).toEqual({
    __type: 'com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException',
    message: 'The conditional request failed',
    Item: itemOf('checksum', 5),
  });
  expect(answer.headers.get('content-length')).toBe(String(content.length));
  expect(answer.headers.get('x-amz-crc32')).toBe(String(crc32(content)));
});
