import { Writable } from 'node:stream';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { ScanCommand } from '@aws-sdk/client-dynamodb';
import { dynamoDbClient } from '../infra/local/dynamodb.ts';
import { startReceiver, type Receiver } from '../infra/local/receiver.ts';
import { httpDelivery, post, SDK_APP_ID, signed, TOKEN, unixSeconds } from './delivery.ts';
import { faultyStore, type Fault } from './infra/faulty-store.ts';
import { logLines, until } from './infra/local-receiver.ts';

const OK = { status: 200, type: 'application/json', body: '{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0}' };
const NOT_KEPT = {
  status: 503,
  type: 'application/json',
  body: '{"ActionStatus":"FAIL","ErrorInfo":"the delivery could not be kept","ErrorCode":120500}',
};

/** What the function logs, kept from the test's own output. */
const log = {
  text: '',
  stream: new Writable({
    write(chunk, _encoding, done) {
      log.text += chunk;
      done();
    },
  }),
  lineOf: (id: string) => until(() => logLines(log.text).find((line) => line['officialAccountId'] === id)),
};

describe('when the store', () => {
  const store = faultyStore();
  let receiver: Receiver;
  beforeAll(async () => {
    receiver = await startReceiver({
      context: { sdkAppId: SDK_APP_ID },
      token: TOKEN,
      port: 0,
      startStore: store.start,
      log: log.stream,
    });
  });
  afterAll(() => receiver.stop());
  beforeEach(() => {
    store.fault = 'none';
  });

  const deliver = (id: string) =>
    post(
      receiver.url,
      httpDelivery(({ payload }) => (payload['Official_Account'] = id)),
    );

  async function isStored(id: string): Promise<boolean> {
    store.fault = 'none';
    const client = dynamoDbClient(receiver.dynamoDb.url);
    const { Items = [] } = await client.send(new ScanCommand({ TableName: receiver.deployment.tableName }));
    client.destroy();
    return Items.some(({ officialAccountId }) => officialAccountId?.S === id);
  }

  test.each<Fault>(['refuses', 'throttles', 'breaks', 'hangs', 'cuts the connection'])(
    '%s, the delivery is answered 503 in Tencent’s shape, and is stored once the store is back',
    async (fault) => {
      store.fault = fault;
      const start = performance.now();
      expect(await deliver(fault)).toEqual(NOT_KEPT);
      expect(performance.now() - start).toBeLessThan(8_000); // well before the function's own timeout
      expect(await isStored(fault)).toBe(false);
      expect(await log.lineOf(fault)).toMatchObject({
        level: 'ERROR',
        outcome: 'failed',
        reason: 'notKept',
        error: { name: expect.any(String), message: expect.any(String) },
      });
      expect(await deliver(fault)).toEqual(OK);
      expect(await isStored(fault)).toBe(true);
    },
  );

  test('stores, then cuts the connection, the write is tried again and the delivery answered OK', async () => {
    store.fault = 'stores, then cuts the connection';
    expect(await deliver('cut')).toEqual(OK);
    expect(await isStored('cut')).toBe(true);
  });

  test('is asked, it is by one request a delivery, and by none for a delivery that is refused or ignored', async () => {
    const before = store.requests;
    await deliver('one');
    await deliver('one');
    expect(store.requests - before).toBe(2);
    await post(
      receiver.url,
      httpDelivery(({ query }) => query.set('Sign', '0')),
    );
    await post(
      receiver.url,
      httpDelivery(({ payload }) => delete payload['Name']),
    );
    await post(
      receiver.url,
      httpDelivery((d) => (d.query.set('CallbackCommand', 'x'), (d.payload = {}))),
    );
    expect(store.requests - before).toBe(2);
  });
});

describe('when the token', () => {
  test('can’t be read, deliveries are answered 503 and not called forged; once it can, they are stored', async () => {
    const receiver = await startReceiver({ context: { sdkAppId: SDK_APP_ID }, token: '', port: 0, log: log.stream });
    try {
      expect(await post(receiver.url, httpDelivery())).toEqual(NOT_KEPT);
      expect(
        await post(
          receiver.url,
          httpDelivery(({ query }) => resign(query, '')),
        ),
      ).toEqual(NOT_KEPT);
      for (const token of ['old', TOKEN]) receiver.secretsManager.put(receiver.deployment.secretIds[0]!, token);
      expect(await post(receiver.url, httpDelivery())).toEqual(OK);
      expect(
        await post(
          receiver.url,
          httpDelivery(({ query }) => resign(query, 'old')),
        ),
      ).toEqual(OK);
    } finally {
      await receiver.stop();
    }
  });
});

function resign(query: URLSearchParams, token: string): void {
  for (const [name, value] of Object.entries(signed(unixSeconds(), token))) query.set(name, value);
}
