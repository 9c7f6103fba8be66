import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import {
  BatchWriteItemCommand,
  ConditionalCheckFailedException,
  DeleteItemCommand,
  PutItemCommand,
  UpdateItemCommand,
  type AttributeValue,
  type DynamoDBClient,
  type ReturnValuesOnConditionCheckFailure,
} from '@aws-sdk/client-dynamodb';
import type { DynamoDBRecord } from 'aws-lambda';
import { dynamoDbClient, startDynamoDb } from '../../../../infra/local/aws/dynamodb.ts';
import type { Loopback } from '../../../../infra/local/aws/loopback.ts';

const TableName = 'items';
let store: Loopback;
let client: DynamoDBClient;
let changes: [string, DynamoDBRecord][];
beforeAll(async () => {
  const table = {
    TableName,
    AttributeDefinitions: ['kind', 'id'].map((AttributeName) => ({ AttributeName, AttributeType: 'S' as const })),
    KeySchema: [
      { AttributeName: 'kind', KeyType: 'HASH' as const },
      { AttributeName: 'id', KeyType: 'RANGE' as const },
    ],
    BillingMode: 'PAY_PER_REQUEST' as const,
  };
  store = await startDynamoDb([table], undefined, (...change) => changes.push(change));
  client = dynamoDbClient(store.url);
});
afterAll(async () => {
  client.destroy();
  await store.close();
});
beforeEach(() => {
  changes = [];
});

type Item = Record<string, AttributeValue>;
const keyOf = (id: string): Item => ({ kind: { S: '类' }, id: { S: id } });
const itemOf = (id: string, n: number): Item => ({ ...keyOf(id), n: { N: String(n) }, name: { S: `第"${id}"号` } });
const put = (Item: Item) => client.send(new PutItemCommand({ TableName, Item }));

/** Sets `n` of an item, on the condition that it is less before. */
const update = (id: string, n: number, ifItFails: ReturnValuesOnConditionCheckFailure = 'ALL_OLD') =>
  client.send(
    new UpdateItemCommand({
      TableName,
      Key: keyOf(id),
      UpdateExpression: 'SET n = :n',
      ConditionExpression: 'n < :n',
      ExpressionAttributeValues: { ':n': { N: String(n) } },
      ReturnValuesOnConditionCheckFailure: ifItFails,
    }),
  );

test.each<[string, Parameters<typeof update>, Item | undefined]>([
  ['returns the item', ['old', 4], itemOf('old', 5)],
  ['returns no item if there is none', ['nowhere', 4], undefined],
  ['returns no item if it does not ask for it', ['old', 4, 'NONE'], undefined],
])('a write whose condition fails %s, and changes nothing', async (_what, write, item) => {
  await put(itemOf('old', 5));
  changes = [];
  const error = await update(...write).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(ConditionalCheckFailedException);
  const { Item, $response } = error as ConditionalCheckFailedException;
  expect(Item).toEqual(item);
  expect('x-amz-crc32' in $response!.headers).toBe(Item === undefined); // the item would make it wrong
  expect(changes).toEqual([]);
});

test('every kind of write has a stream record with its images', async () => {
  await put(itemOf('a', 1));
  await update('a', 2);
  await client.send(new DeleteItemCommand({ TableName, Key: keyOf('a') }));
  const batch = [{ PutRequest: { Item: itemOf('b', 1) } }];
  await client.send(new BatchWriteItemCommand({ RequestItems: { [TableName]: batch } }));
  const told = changes.map(([table, { eventName, dynamodb }]) => [
    table,
    eventName,
    dynamodb?.OldImage,
    dynamodb?.NewImage,
  ]);
  expect(told).toEqual([
    [TableName, 'INSERT', undefined, itemOf('a', 1)],
    [TableName, 'MODIFY', itemOf('a', 1), itemOf('a', 2)],
    [TableName, 'REMOVE', itemOf('a', 2), undefined],
    [TableName, 'INSERT', undefined, itemOf('b', 1)],
  ]);
  expect(changes[0]?.[1]).toMatchObject({ eventSource: 'aws:dynamodb', dynamodb: { Keys: keyOf('a') } });
});

test('a write that changes nothing has no stream record', async () => {
  await put(itemOf('same', 1));
  changes = [];
  await put(itemOf('same', 1));
  await client.send(new DeleteItemCommand({ TableName, Key: keyOf('nowhere') }));
  expect(changes).toEqual([]);
});

test('many writes to one item run one after another: stream records and failed conditions have the item of that time', async () => {
  await put(itemOf('many', 0));
  changes = [];
  const numbers = Array.from({ length: 100 }, (_, index) => 1 + ((index * 73) % 50)); // each twice, in mixed order
  const errors = await Promise.all(
    numbers.map((n) =>
      update('many', n).then(
        () => undefined,
        (error) => error,
      ),
    ),
  );
  const failed = errors.flatMap((error, index) => (error ? [[numbers[index], Number(error.Item?.['n']?.N)]] : []));
  expect(failed.length).toBeGreaterThanOrEqual(50);
  for (const [n = NaN, found = NaN] of failed) expect(found).toBeGreaterThanOrEqual(n);
  const images = changes.map(([, { dynamodb }]) => [dynamodb?.OldImage?.['n']?.N, dynamodb?.NewImage?.['n']?.N]);
  for (const [index, [before]] of images.entries()) expect(before).toBe(images[index - 1]?.[1] ?? '0');
  expect(changes.length + failed.length).toBe(100);
});
