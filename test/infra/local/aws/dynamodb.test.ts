import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import dynalite from 'dynalite';
import { startDynamoDb } from '../../../../infra/local/aws/dynamodb.ts';
import { listen, type Loopback } from '../../../../infra/local/aws/loopback.ts';

let dynamoDb: Loopback;
beforeEach(async () => {
  dynamoDb = await startDynamoDb([]);
});
afterEach(() => dynamoDb.close());

/** Begins a request that never ends. */
async function beginRequest() {
  const { hostname, port } = new URL(dynamoDb.url);
  const socket = connect(Number(port), hostname).on('error', () => {});
  await once(socket, 'connect');
  socket.write('POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{');
  await fetch(dynamoDb.url); // now the earlier request has begun
  return socket;
}

test('a client that disconnects during a request does not stop the service', async () => {
  const socket = await beginRequest();
  socket.resetAndDestroy();
  await sleep(100); // an error in this time would end the test, as it would end npm start
  expect((await fetch(dynamoDb.url)).status).toBe(200);
});

test('an unfinished request does not prevent the service from closing', async () => {
  const socket = await beginRequest();
  await dynamoDb.close();
  await expect(fetch(dynamoDb.url)).rejects.toThrow('fetch failed');
  socket.destroy();
  dynamoDb = await startDynamoDb([]);
});

const headersOf = (operation: string) => ({
  'content-type': 'application/x-amz-json-1.0',
  'x-amz-target': `DynamoDB_20120810.${operation}`,
  'x-amz-date': 'x',
  authorization: 'AWS4-HMAC-SHA256 Credential=a/b/c/d/e, Signature=x, SignedHeaders=host',
});

test('a body that breaks dynalite neither stops the service nor blocks later writes', async () => {
  const post = (operation: string, body: string) =>
    fetch(dynamoDb.url, { method: 'POST', headers: headersOf(operation), body });
  for (const operation of ['GetItem', 'UpdateItem', 'BatchWriteItem']) {
    for (const body of ['null', '{', '{"Key":null}', '{"RequestItems":{"table":[null]}}']) {
      const { status } = await post(operation, body);
      expect([operation, body, status]).toEqual([operation, body, 400]);
    }
  }
  const later = await post('UpdateItem', '{"TableName":"none","Key":{"id":{"S":"a"}}}');
  expect(await later.text()).toContain('ResourceNotFoundException');
});

test('a request that is not a write of an item gets exactly dynalite’s answer', async () => {
  const plain = await listen(dynalite({}), 0);
  const requests: [string, RequestInit][] = [
    ['/path?query', { method: 'PUT', body: 'x' }],
    ['/', { method: 'POST', headers: headersOf('ListTables'), body: '{}' }],
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
    await plain.close();
  }
});
