import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DeleteTableCommand, DescribeTableCommand, type CreateTableInput } from '@aws-sdk/client-dynamodb';
import { expect, test } from '@jest/globals';
import dynalite from 'dynalite';
import { dynamoDbClient, startDynamoDb } from '../../../../infra/local/aws/dynamodb.ts';
import { listen } from '../../../../infra/local/aws/loopback.ts';

test('a client that disconnects during a request does not stop the service', async () => {
  const dynamoDb = await startDynamoDb([]);
  const { hostname, port } = new URL(dynamoDb.url);
  const socket = connect(Number(port), hostname);
  await once(socket, 'connect');
  socket.write('POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{');
  await sleep(100);
  socket.resetAndDestroy();
  await sleep(100); // an error in this time would end the test, as it would end npm start
  expect((await fetch(dynamoDb.url)).status).toBe(200);
  await dynamoDb.close();
});

test('an unfinished request does not prevent the service from closing', async () => {
  const dynamoDb = await startDynamoDb([]);
  const { hostname, port } = new URL(dynamoDb.url);
  const socket = connect(Number(port), hostname).on('error', () => {});
  await once(socket, 'connect');
  socket.write('POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{');
  expect((await fetch(dynamoDb.url)).status).toBe(200); // now the earlier request has begun
  await dynamoDb.close();
  socket.destroy();
});

const headersOf = (operation: string) => ({
  'content-type': 'application/x-amz-json-1.0',
  'x-amz-target': `DynamoDB_20120810.${operation}`,
  'x-amz-date': 'x',
  authorization: 'AWS4-HMAC-SHA256 Credential=a/b/c/d/e, Signature=x, SignedHeaders=host',
});

test.each(['GetItem', 'UpdateItem', 'PutItem', 'BatchWriteItem'])(
  'a body that breaks dynalite does not stop the service: %s',
  async (operation) => {
    const dynamoDb = await startDynamoDb([]);
    for (const body of [
      'null',
      '5',
      '[]',
      '{',
      '{"Key":null}',
      '{"Item":null}',
      '{"TableName":"table","Item":{}}',
      '{"RequestItems":null}',
      '{"RequestItems":{"table":null}}',
      '{"RequestItems":{"table":[null,{"PutRequest":null}]}}',
    ]) {
      const { status } = await fetch(dynamoDb.url, { method: 'POST', headers: headersOf(operation), body });
      expect([body, status]).toEqual([body, 400]);
    }
    await dynamoDb.close();
  },
);

test('a body of more than 16 MiB gets a 413', async () => {
  const dynamoDb = await startDynamoDb([]);
  const body = ' '.repeat(16 * 1024 * 1024 + 1);
  expect((await fetch(dynamoDb.url, { method: 'POST', headers: headersOf('GetItem'), body })).status).toBe(413);
  await dynamoDb.close();
});

test('a request that is not a write of an item gets exactly dynalite’s answer', async () => {
  const [plain, dynamoDb] = [await listen(dynalite({}), 0), await startDynamoDb([])];
  const requests: [string, RequestInit][] = [
    ['/', {}],
    ['/path?query', { method: 'PUT', body: 'x' }],
    ['/', { method: 'POST', headers: headersOf('NoOperation'), body: '{}' }],
    ['/', { method: 'POST', headers: headersOf('ListTables'), body: '{}' }],
    ['/', { method: 'POST', headers: { ...headersOf('ListTables'), authorization: '' }, body: '{}' }],
    ['/', { method: 'POST', headers: headersOf('GetItem'), body: '{"TableName":"表","Key":{"id":{"S":"x"}}}' }],
  ];
  try {
    for (const [path, request] of requests) {
      const [expected, actual] = await Promise.all(
        [plain, dynamoDb].map(async ({ url }) => {
          const response = await fetch(url + path, request);
          const { 'x-amzn-requestid': _, date: __, ...headers } = Object.fromEntries(response.headers);
          return { status: response.status, headers, body: await response.text() };
        }),
      );
      expect(actual).toEqual(expected);
    }
  } finally {
    await Promise.all([plain.close(), dynamoDb.close()]);
  }
});

test('a table that was being deleted when the process ended is deleted and created again', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'dynamodb-test-'));
  const table: CreateTableInput = {
    TableName: 'table',
    BillingMode: 'PAY_PER_REQUEST',
    KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
    AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
  };
  const statusAfter = async (command: typeof DeleteTableCommand | typeof DescribeTableCommand) => {
    const dynamoDb = await startDynamoDb([table], directory);
    const client = dynamoDbClient(dynamoDb.url);
    await client.send(new command({ TableName: 'table' }));
    const { Table } = await client.send(new DescribeTableCommand({ TableName: 'table' }));
    client.destroy();
    await dynamoDb.close();
    return Table?.TableStatus;
  };
  expect(await statusAfter(DeleteTableCommand)).toBe('DELETING');
  expect(await statusAfter(DescribeTableCommand)).toBe('ACTIVE');
  rmSync(directory, { recursive: true });
});
