import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { GetItemCommand, type DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { dynamoDbClient } from '../../infra/local/aws/dynamodb.ts';
import { listen, type Loopback } from '../../infra/local/aws/loopback.ts';
import { abortAtDeadline } from '../../lambda/sdk-client.ts';

const LIMITS = { attempts: 1, attemptMs: 2_000, totalMs: 2_000 };

/** Sends the headers at once. The body of the table `slow` follows after a second, the body of `stalled` never. */
const server = createServer(async (request, response) => {
  const { TableName } = JSON.parse(await text(request));
  response.writeHead(200, { 'content-type': 'application/x-amz-json-1.0' }).flushHeaders();
  if (TableName === 'stalled') return;
  await sleep(1_000);
  response.end('{}');
});

let client: DynamoDBClient;
let loopback: Loopback;
beforeAll(async () => {
  loopback = await listen(server, 0);
  client = dynamoDbClient(loopback.url);
});
afterAll(async () => {
  client.destroy();
  await loopback.close();
});

test('an expired call destroys its own connection, and not those of concurrent calls', async () => {
  const withDeadline = abortAtDeadline(LIMITS);
  const get = (TableName: string) =>
    withDeadline(({ options }) => client.send(new GetItemCommand({ TableName, Key: { id: { S: 'a' } } }), options));
  const stalled = get('stalled').catch((error: Error) => error.name);
  await sleep(1_500);
  const concurrent = get('slow'); // in progress when the other one expires
  expect(await stalled).toBe('TimeoutError');
  expect(await concurrent).toMatchObject({ $metadata: { httpStatusCode: 200, attempts: 1 } });
});
