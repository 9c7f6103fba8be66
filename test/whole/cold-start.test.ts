import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { FaultyDynamoDb, FaultySecretsManager, FaultySqs, type Fault, type Faulty } from '../faulty.ts';
import type { Environment } from '../../lambda/config.ts';
import { startFunction } from '../../infra/local/aws/function.ts';
import { startGateway } from '../../infra/local/aws/gateway.ts';
import { CHAT_TIMEOUT_MS, OK, post, recorded } from '../delivery.ts';
import { specOf, startSlowDeployment } from '../deployment.ts';
import { logKeeper } from '../function-log.ts';
import { recordsOf } from '../records.ts';
import { slowed, TIME_SCALE } from '../time.ts';
import { until } from '../until.ts';

/** Maximum time of init if all services fail: 700 ms, as in limits.ts, and the start of a process. */
const INIT_MS = slowed(2_000);
const REPLY_LIMIT_MS = slowed(CHAT_TIMEOUT_MS);
const PING = 'GET /';
const UPDATE = 'DynamoDB_20120810.UpdateItem';
const READ = 'secretsmanager.GetSecretValue';
const over = (operation: string) => `${operation}: over`;

/** Starts a receiver with services that can fail, and records its requests. */
async function startWatched() {
  const [store, secrets, queue] = [new FaultyDynamoDb(), new FaultySecretsManager(), new FaultySqs()];
  const log = logKeeper();
  const asked: { operation: string; headers: IncomingMessage['headers'] }[] = [];
  const order: string[] = [];
  for (const service of [store, secrets, queue]) {
    service.onRequest = ({ method, url, headers }, response) => {
      const operation = String(headers['x-amz-target'] ?? `${method} ${url}`);
      asked.push({ operation, headers });
      order.push(operation);
      response.on('close', () => order.push(over(operation)));
    };
  }
  const receiver = await startSlowDeployment({
    startStore: store.start,
    startSecrets: secrets.start,
    startQueues: queue.start,
    log: log.stream,
  });
  return {
    ...receiver,
    instance: receiver.receiver,
    store,
    secrets,
    queue,
    log,
    asked,
    /** Starts and ends of the requests, in order. A request ends with an answer or with a closed connection. */
    order,
    /** Returns the operations since the last call. */
    askedNow: () => asked.splice(0).map(({ operation }) => operation),
    deliver: (id: string) =>
      post(receiver.url, (delivery) => (delivery.payload = { ...recorded('created'), Official_Account: id })),
    async ids(): Promise<unknown[]> {
      const records = await recordsOf(store.serviceUrl, receiver.spec.tableName);
      return records.map(({ officialAccountId }) => officialAccountId);
    },
    messages: () => receiver.spec.queues.flatMap(({ name }) => receiver.sqs.messages(name)),
  };
}

let receiver: Awaited<ReturnType<typeof startWatched>>;
beforeAll(async () => {
  receiver = await startWatched();
});
afterAll(() => receiver?.stop());
afterEach(() => {
  for (const service of [receiver.store, receiver.secrets, receiver.queue]) service.fault = undefined;
});

describe('init', () => {
  test.each<[string, Partial<Environment>, string[]]>([
    ['reads the token and pings DynamoDB', {}, [PING, READ]],
    ['reads no token with authentication=off', { AUTHENTICATION: 'off' }, [PING]],
    ['rehearses with an allowed address', { ALLOWED_CIDRS: '10.1.2.0/24,::1' }, [PING, READ]],
  ])('%s, and writes, parks and logs nothing', async (_what, environment, asked) => {
    const before = await receiver.ids();
    receiver.askedNow();
    receiver.log.text = '';
    const instance = await startInstance({ ...CREDENTIALS, ...environment });
    try {
      expect(receiver.askedNow().toSorted()).toEqual(asked);
      expect(await receiver.ids()).toEqual(before);
      expect(receiver.messages()).toEqual([]);
      expect(receiver.log.text).toBe('');
    } finally {
      await instance.stop();
    }
  });

  test('calls both services at the same time: the ping does not wait for a read of the token that hangs', async () => {
    receiver.secrets.fault = 'hangs';
    receiver.order.length = 0;
    await receiver.instance.restart();
    await until(() => receiver.secrets.owed === 0);
    expect(receiver.order).toContain(PING);
    // Compares neither times nor the second attempt, because a busy machine may have no time for it.
    expect(receiver.order.indexOf(PING)).toBeLessThan(receiver.order.lastIndexOf(over(READ)));
  });

  test('opens the connection that the first delivery uses for its only write', async () => {
    await receiver.instance.restart();
    receiver.askedNow();
    const { connections } = receiver.store;
    expect(await receiver.deliver('first')).toEqual(OK);
    expect(receiver.askedNow()).toEqual([UPDATE]);
    expect(receiver.store.connections).toBe(connections);
    expect(await receiver.deliver('second')).toEqual(OK);
    expect(receiver.askedNow()).toEqual([UPDATE]);
    expect((await until(() => receiver.log.linesOf('delivery')[1])) && receiver.log.text).not.toContain('rehearsal');
  });

  test.each<[string, (watched: Faulty) => void]>([
    ['cut', (store) => store.cutConnections()],
    ['lost without a notice', (store) => store.forgetConnections()],
  ])('may be long ago: a connection that was %s since then is replaced', async (how, lose) => {
    await receiver.instance.restart();
    lose(receiver.store);
    const start = performance.now();
    expect(await receiver.deliver(`long after, ${how}`)).toEqual(OK);
    expect(performance.now() - start).toBeLessThan(slowed(1_000));
    expect(await receiver.log.deliveryOf(`long after, ${how}`)).toMatchObject({ outcome: 'stored' });
  });
});

describe('if DynamoDB and Secrets Manager fail during init,', () => {
  test.each<Fault>(['denies', 'hangs', 'sends half its answer', 'cuts the connection', 'answers nonsense'])(
    'the instance starts in time; if they work again, it stores its first delivery in time (each %s)',
    async (fault) => {
      await failInInit(fault);
      [receiver.store.fault, receiver.secrets.fault] = [undefined, undefined];
      receiver.askedNow();
      const start = performance.now();
      expect(await receiver.deliver(`init ${fault}`)).toEqual(OK);
      expect(performance.now() - start).toBeLessThan(REPLY_LIMIT_MS);
      expect(receiver.askedNow()).toEqual(expect.arrayContaining([READ, UPDATE]));
      expect(await receiver.ids()).toContain(`init ${fault}`);
    },
  );

  test('and then hang, the first delivery gets a 503 in time', async () => {
    await failInInit('hangs');
    const start = performance.now();
    expect(await receiver.deliver('neither')).toMatchObject({ status: 503 });
    expect(performance.now() - start).toBeLessThan(REPLY_LIMIT_MS);
  });

  async function failInInit(fault: Fault): Promise<void> {
    [receiver.store.fault, receiver.secrets.fault] = [fault, fault];
    const start = performance.now();
    await receiver.instance.restart();
    expect(performance.now() - start).toBeLessThan(INIT_MS);
  }
});

const CREDENTIALS = { AWS_ACCESS_KEY_ID: 'x', AWS_SECRET_ACCESS_KEY: 'x' };

/** Starts an instance of the receiver with the same services and these environment variables. */
function startInstance(environment: Record<string, string>) {
  const { receiver: spec } = specOf();
  const services = {
    AWS_REGION: 'eu-central-1',
    AWS_ENDPOINT_URL_DYNAMODB: receiver.dynamoDb.url,
    AWS_ENDPOINT_URL_SECRETS_MANAGER: receiver.secretsManager.url,
  };
  return startFunction(
    { ...spec, environment: { ...spec.environment, ...services, ...environment } },
    { log: receiver.log.stream, timeScale: TIME_SCALE },
  );
}

/** Delivers a new account to an instance with these environment variables. @returns the reply. */
async function deliverTo(environment: Record<string, string>) {
  const instance = await startInstance(environment);
  const { route } = receiver.spec;
  const gateway = await startGateway(route, instance.invoke, 0);
  try {
    return await post(
      gateway.url + route.path,
      ({ payload }) => (payload['Official_Account'] = `@TOA#_${randomUUID()}`),
    );
  } finally {
    await gateway.close();
    await instance.stop();
  }
}

test('without any service, the instance starts, and its first delivery gets a 503', async () => {
  const start = performance.now();
  const reply = await deliverTo({
    ...CREDENTIALS,
    AWS_ENDPOINT_URL_DYNAMODB: 'http://127.0.0.1:1',
    AWS_ENDPOINT_URL_SECRETS_MANAGER: 'http://127.0.0.1:1',
  });
  expect(reply).toMatchObject({ status: 503 });
  expect(performance.now() - start).toBeLessThan(INIT_MS + REPLY_LIMIT_MS);
});

describe('credentials', () => {
  beforeEach(() => void receiver.askedNow());

  test('with a session token are read from the environment of the instance', async () => {
    const credentials = { AWS_ACCESS_KEY_ID: 'ID7', AWS_SECRET_ACCESS_KEY: 'key' };
    expect(await deliverTo({ ...credentials, AWS_SESSION_TOKEN: 'session' })).toEqual(OK);
    expect(receiver.asked.map(({ operation }) => operation).toSorted()).toEqual([UPDATE, PING, READ]);
    for (const { operation, headers } of receiver.asked) {
      // The ping needs no permissions, so it has no credentials.
      const isPing = operation === PING;
      const signed = /^AWS4-HMAC-SHA256 Credential=ID7\/\d{8}\/eu-central-1\/.*x-amz-security-token/;
      expect(headers.authorization).toEqual(isPing ? undefined : expect.stringMatching(signed));
      expect(headers['x-amz-security-token']).toBe(isPing ? undefined : 'session');
    }
  });

  test('that are missing cause a 503, and the SDK does not search for others', async () => {
    // The SDK would find these servers.
    const elsewhere = {
      AWS_EC2_METADATA_SERVICE_ENDPOINT: receiver.dynamoDb.url,
      AWS_CONTAINER_CREDENTIALS_FULL_URI: receiver.secretsManager.url,
    };
    expect(await deliverTo(elsewhere)).toMatchObject({ status: 503 });
    expect(receiver.askedNow()).toEqual([]);
  });
});
