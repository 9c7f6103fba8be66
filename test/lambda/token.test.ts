import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { startSecretsManager, type SecretsManager } from '../../infra/local/aws/secrets-manager.ts';
import { secretVersions, webhookToken } from '../../lambda/token.ts';
import { signed } from '../delivery.ts';

const TIME = '1669872112';

/** A token store whose versions and clock the test moves, and which counts how often it is read. */
function tokenStore(...versions: string[]) {
  const state = { versions, now: 0, reads: 0, isDown: false };
  const token = webhookToken(
    async (which) => {
      state.reads += 1;
      if (state.isDown) throw new Error('the store is down');
      return which === 'all' ? state.versions : state.versions.slice(0, 1);
    },
    () => state.now,
  );
  return Object.assign(state, {
    token,
    verify: (signer: string) => token.verify(signed(TIME, signer).Sign, TIME),
  });
}

test('every accepted version of the token signs, and the one before is read where it is first needed', async () => {
  const store = tokenStore('new', 'old');
  await store.token.load();
  expect(await store.verify('new')).toBe(true);
  expect(store.reads).toBe(1);
  for (let delivery = 0; delivery < 3; delivery += 1) expect(await store.verify('old')).toBe(true);
  expect(await store.verify('new')).toBe(true);
  expect(store.reads).toBe(2);
});

test('an instance that has just begun does not call a delivery forged that the token before has signed', async () => {
  const store = tokenStore('new', 'old');
  await store.token.load();
  store.isDown = true;
  await expect(store.verify('old')).rejects.toThrow('the store is down');
  await expect(store.verify('old')).rejects.toThrow('the store is down');
  expect(store.reads).toBe(2); // once in two seconds: strangers sign wrong at will
  store.isDown = false;
  store.now = 2_000;
  expect(await store.verify('old')).toBe(true);
});

test('while the token can’t be read again, wrong signatures make it be read once in two seconds, and then once a minute', async () => {
  const store = tokenStore('right');
  await store.token.load();
  store.isDown = true;
  for (store.now = 0; store.now < 60_000; store.now += 500) {
    await expect(store.verify('wrong')).rejects.toThrow('the store is down');
  }
  expect(store.reads).toBe(1 + 30);
  store.isDown = false;
  for (; store.now < 120_000; store.now += 500) expect(await store.verify('wrong')).toBe(false);
  expect(store.reads).toBe(1 + 30 + 1);
});

test('a new token is accepted at the first delivery that it signs', async () => {
  const store = tokenStore('old');
  await store.token.load();
  store.now = 60_000;
  store.versions = ['new', 'old'];
  expect(await store.verify('new')).toBe(true);
  expect(await store.verify('old')).toBe(true);
  expect(store.reads).toBe(2);
});

test('wrong signatures make the token be read once a minute at most', async () => {
  const store = tokenStore('right');
  await store.token.load();
  for (store.now = 0; store.now <= 120_000; store.now += 1_000) expect(await store.verify('wrong')).toBe(false);
  expect(store.reads).toBe(1 + 3);
});

test('deliveries that come while the token is being read wait for that one read', async () => {
  const store = tokenStore('right');
  const answers = await Promise.all(['right', 'wrong', 'right'].map((token) => store.verify(token)));
  expect(answers).toEqual([true, false, true]);
  expect(store.reads).toBe(1);
});

test('while no token could be read, every delivery tries, and none is called forged', async () => {
  const store = tokenStore('right');
  store.isDown = true;
  await expect(store.verify('right')).rejects.toThrow('the store is down');
  await expect(store.verify('right')).rejects.toThrow('the store is down');
  store.isDown = false;
  expect(await store.verify('right')).toBe(true);
  expect(store.reads).toBe(3);
});

test('where the token could not be read again, a mismatch is not called forged, and a match is still one', async () => {
  const store = tokenStore('old');
  await store.token.load();
  store.now = 60_000;
  store.isDown = true;
  await expect(store.verify('new')).rejects.toThrow('the store is down');
  await expect(store.verify('new')).rejects.toThrow('the store is down');
  expect(await store.verify('old')).toBe(true);
  expect(store.reads).toBe(2);
});

test('a token that was replaced stops working in five minutes, though nothing else is ever used', async () => {
  const store = tokenStore('leaked');
  await store.token.load();
  store.versions = ['new', 'newer'];
  for (store.now = 0; store.now < 300_000; store.now += 10_000) expect(await store.verify('leaked')).toBe(true);
  expect(store.reads).toBe(1);
  store.now = 300_000;
  expect(await store.verify('leaked')).toBe(false);
  expect(store.reads).toBe(2);
});

test('where the token can’t be read again after five minutes, the known one stays good, and it is tried once a minute', async () => {
  const store = tokenStore('right');
  await store.token.load();
  store.isDown = true;
  for (store.now = 0; store.now < 480_000; store.now += 10_000) expect(await store.verify('right')).toBe(true);
  expect(store.reads).toBe(1 + 3);
  store.isDown = false;
  store.versions = ['new'];
  expect(await store.verify('right')).toBe(false);
});

test('no read outlives the delivery that it is for: frozen with the instance, it would fail for a later one', async () => {
  let now = 0;
  let readAll: () => Promise<string[]> = async () => ['old'];
  const token = webhookToken(
    (which) => (which === 'all' ? readAll() : Promise.resolve(['old'])),
    () => now,
  );
  const isRight = (secret: string) => token.verify(signed(TIME, secret).Sign, TIME);
  await token.load();

  const hanging = Promise.withResolvers<string[]>();
  [now, readAll] = [300_000, () => hanging.promise];
  let isAnswered = false;
  const answer = isRight('old').finally(() => (isAnswered = true));
  await sleep(400);
  expect(isAnswered).toBe(false);
  hanging.reject(new Error('no answer within 600 ms'));
  expect(await answer).toBe(true);

  [now, readAll] = [900_000, async () => ['new', 'old']];
  expect(await isRight('new')).toBe(true);
});

/** Secrets Manager that answers for all stages but one. */
function answerFor(failingStage: string, error: Error) {
  return async ({ input }: { input: { VersionStage: string } }) => {
    if (input.VersionStage === failingStage) throw error;
    return { SecretString: input.VersionStage };
  };
}

describe('the secret', () => {
  let secretsManager: SecretsManager;
  let client: SecretsManagerClient;
  beforeAll(async () => {
    secretsManager = await startSecretsManager();
    client = new SecretsManagerClient({
      endpoint: secretsManager.url,
      region: 'us-east-1',
      credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
      maxAttempts: 1,
    });
  });
  afterAll(() => secretsManager.close());

  test('gives its current version alone where it was never changed', async () => {
    secretsManager.put('fresh', 'one');
    expect(await secretVersions(client, 'fresh')('all')).toEqual(['one']);
  });

  test('gives its current and its previous version, and none before', async () => {
    for (const value of ['one', 'two', '三']) secretsManager.put('rotated', value);
    expect(await secretVersions(client, 'rotated')('all')).toEqual(['三', 'two']);
    expect(await secretVersions(client, 'rotated')('current')).toEqual(['三']);
  });

  test('that is empty is no token: with it every stranger could sign', async () => {
    secretsManager.put('empty', '');
    await expect(secretVersions(client, 'empty')('all')).rejects.toThrow(
      'the secret empty holds no text: put the webhook token there',
    );
  });

  test('that was empty before it was put right is good again', async () => {
    for (const value of ['', 'mended']) secretsManager.put('mended', value);
    expect(await secretVersions(client, 'mended')('all')).toEqual(['mended']);
  });

  test('whose previous version can’t be read is an error: deliveries signed with it must not be called forged', async () => {
    const versions = secretVersions({ send: answerFor('AWSPREVIOUS', new Error('throttled')) } as never, 'any');
    await expect(versions('all')).rejects.toThrow('throttled');
  });

  test('that is not there is an error', async () => {
    await expect(secretVersions(client, 'nowhere')('all')).rejects.toThrow('no AWSCURRENT version of nowhere');
  });
});
