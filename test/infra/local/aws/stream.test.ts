import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import {
  BatchWriteItemCommand,
  DeleteItemCommand,
  PutItemCommand,
  UpdateItemCommand,
  GetItemCommand,
  type AttributeValue,
  type CreateTableInput,
  type DynamoDBClient,
} from '@aws-sdk/client-dynamodb';
import type { DynamoDBRecord } from 'aws-lambda';
import { Level } from 'level';
import { dynamoDbClient, startDynamoDb } from '../../../../infra/local/aws/dynamodb.ts';
import type { Loopback } from '../../../../infra/local/aws/loopback.ts';

const TableName = 'accounts';
const TABLE: CreateTableInput = {
  TableName,
  AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
  KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
  BillingMode: 'PAY_PER_REQUEST',
};
let store: Loopback;
let client: DynamoDBClient;
let changes: [string, DynamoDBRecord][] = [];

beforeAll(async () => {
  store = await startDynamoDb([TABLE], undefined, (...change) => changes.push(change));
  client = dynamoDbClient(store.url);
});
afterAll(async () => {
  client.destroy();
  await store.close();
});
beforeEach(() => {
  changes = [];
});

const item = (id: string, name: string): Record<string, AttributeValue> => ({ id: { S: id }, name: { S: name } });
const update = (id: string, name: string, condition?: string) =>
  client.send(
    new UpdateItemCommand({
      TableName,
      Key: { id: { S: id } },
      UpdateExpression: 'SET #name = :name',
      ...(condition !== undefined && { ConditionExpression: condition }),
      ExpressionAttributeNames: { '#name': 'name' },
      ExpressionAttributeValues: { ':name': { S: name } },
    }),
  );
/** Returns the parts of a stream record that describe the change. */
const told = () =>
  changes.map(([table, { eventName, dynamodb }]) => [table, eventName, dynamodb?.OldImage, dynamodb?.NewImage]);

test('every kind of write has a stream record with its images', async () => {
  await client.send(new PutItemCommand({ TableName, Item: item('a', '新') }));
  await update('a', '"旧"');
  await client.send(new DeleteItemCommand({ TableName, Key: { id: { S: 'a' } } }));
  await update('b', 'updated');
  await client.send(
    new BatchWriteItemCommand({ RequestItems: { [TableName]: [{ PutRequest: { Item: item('c', 'batch') } }] } }),
  );
  expect(told()).toEqual([
    [TableName, 'INSERT', undefined, item('a', '新')],
    [TableName, 'MODIFY', item('a', '新'), item('a', '"旧"')],
    [TableName, 'REMOVE', item('a', '"旧"'), undefined],
    [TableName, 'INSERT', undefined, item('b', 'updated')],
    [TableName, 'INSERT', undefined, item('c', 'batch')],
  ]);
  expect(changes[0]?.[1]).toMatchObject({ eventSource: 'aws:dynamodb', dynamodb: { Keys: { id: { S: 'a' } } } });
});

test('a write that changes nothing, that fails or that has no item has no stream record', async () => {
  await client.send(new PutItemCommand({ TableName, Item: item('same', 'x') }));
  changes = [];
  await update('same', 'x');
  await client.send(new PutItemCommand({ TableName, Item: item('same', 'x') }));
  await expect(update('same', 'y', 'attribute_not_exists(id)')).rejects.toThrow('conditional');
  await client.send(new DeleteItemCommand({ TableName, Key: { id: { S: 'nowhere' } } }));
  expect(told()).toEqual([]);
});

test('many writes to one item have stream records in the order of the writes', async () => {
  await Promise.all(Array.from({ length: 50 }, (_, n) => update('many', String(n))));
  const names = changes.map(([, { dynamodb }]) => [dynamodb?.OldImage?.['name']?.S, dynamodb?.NewImage?.['name']?.S]);
  expect(names).toHaveLength(50);
  for (const [index, [before]] of names.entries()) expect(before).toBe(names[index - 1]?.[1]);
});

test('a stream record comes only after the write can be read, even on a slow disk', async () => {
  const { put } = Level.prototype;
  Object.assign(Level.prototype, {
    async put(this: Level, key: unknown, value: unknown, options: object) {
      await sleep(50);
      return put.call(this, key, value, options);
    },
  });
  const directory = mkdtempSync(join(tmpdir(), 'stream-test-'));
  const reads: Promise<string | undefined>[] = [];
  const onDisk = await startDynamoDb([TABLE], directory, (_table, { dynamodb }) =>
    reads.push(read(dynamodb?.NewImage?.['id']?.S)),
  );
  const reader = dynamoDbClient(onDisk.url);
  async function read(id = '') {
    const { Item } = await reader.send(new GetItemCommand({ TableName, Key: { id: { S: id } } }));
    return Item?.['id']?.S;
  }
  try {
    const ids = ['a', 'b', 'c'];
    await Promise.all(ids.map((id) => reader.send(new PutItemCommand({ TableName, Item: item(id, 'x') }))));
    expect((await Promise.all(reads)).toSorted()).toEqual(ids);
  } finally {
    Level.prototype.put = put;
    reader.destroy();
    await onDisk.close();
    rmSync(directory, { recursive: true });
  }
});

test('a stream has no records of another store', async () => {
  const other = await startDynamoDb([]);
  await other.close();
  await update('mine', 'x');
  expect(changes).toHaveLength(1);
});
