import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { startSecretsManager, type SecretsManager } from '../../infra/local/aws/secrets-manager.ts';
import { secretVersions, webhookToken } from '../../lambda/token.ts';
import { signed } from '../delivery.ts';

const TIME = '1669872112';

/** A token store that counts its reads. The test sets its versions and its clock. */
function tokenStore(...versions: string[]) {
  const state = { versions, now: 0, reads: 0, isDown: false };
  const token = webhookToken(
    async (which) => {
      state.reads += 1;
      if (state.isDown) throw new Error('the store is down');
      return which === 'both' ? state.versions : state.versions.slice(0, 1);
    },
    () => state.now,
  );
  return Object.assign(state, {
    token,
    verify: (signer: string) => token.verify(signed(TIME, signer).Sign, TIME),
  });
}

test('both versions of the token are accepted, and the previous one is read only if a delivery needs it', async () => {
  const store = tokenStore('new', 'old');
  await store.token.load();
  expect(await store.verify('new')).toBe(true);
  expect(store.reads).toBe(1);
  for (let delivery = 0; delivery < 3; delivery += 1) expect(await store.verify('old')).toBe(true);
  expect(await store.verify('new')).toBe(true);
  expect(store.reads).toBe(2);
});

test('if the token cannot be read again, a mismatch is not rejected, and a match is accepted', async () => {
  const store = tokenStore('new', 'old');
  await store.token.load();
  store.isDown = true;
  await expect(store.verify('old')).rejects.toThrow('the store is down');
  await expect(store.verify('old')).rejects.toThrow('the store is down');
  expect(await store.verify('new')).toBe(true);
  expect(store.reads).toBe(2); // at most once in two seconds, because strangers can send any number of wrong signatures
  store.isDown = false;
  store.now = 2_000;
  expect(await store.verify('old')).toBe(true);
});

test('wrong signatures cause one read in two seconds while reads fail, and one read a minute afterwards', async () => {
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

test('a new token is accepted from its first delivery on', async () => {
  const store = tokenStore('old');
  await store.token.load();
  store.now = 60_000;
  store.versions = ['new', 'old'];
  expect(await store.verify('new')).toBe(true);
  expect(await store.verify('old')).toBe(true);
  expect(store.reads).toBe(2);
});

test('concurrent deliveries wait for the same read', async () => {
  const store = tokenStore('right');
  const answers = await Promise.all(['right', 'wrong', 'right'].map((token) => store.verify(token)));
  expect(answers).toEqual([true, false, true]);
  expect(store.reads).toBe(1);
});

test('until a read succeeds, each delivery causes a read, and none is rejected', async () => {
  const store = tokenStore('right');
  store.isDown = true;
  await expect(store.verify('right')).rejects.toThrow('the store is down');
  await expect(store.verify('right')).rejects.toThrow('the store is down');
  store.isDown = false;
  expect(await store.verify('right')).toBe(true);
  expect(store.reads).toBe(3);
});

test('a replaced token stops working after five minutes, even if no delivery has the new one', async () => {
  const store = tokenStore('leaked');
  await store.token.load();
  store.versions = ['new', 'newer'];
  for (store.now = 0; store.now < 300_000; store.now += 10_000) expect(await store.verify('leaked')).toBe(true);
  expect(store.reads).toBe(1);
  store.now = 300_000;
  expect(await store.verify('leaked')).toBe(false);
  expect(store.reads).toBe(2);
});

test('if the read after five minutes fails, the known token stays valid, with one read a minute', async () => {
  const store = tokenStore('right');
  await store.token.load();
  store.isDown = true;
  for (store.now = 0; store.now < 480_000; store.now += 10_000) expect(await store.verify('right')).toBe(true);
  expect(store.reads).toBe(1 + 3);
  store.isDown = false;
  store.versions = ['new'];
  expect(await store.verify('right')).toBe(false);
});

// Lambda freezes the instance after the reply, so that a read in the background would fail during a later delivery.
test('a delivery waits for the end of its read', async () => {
  let now = 0;
  let readAll: () => Promise<string[]> = async () => ['old'];
  const token = webhookToken(
    (which) => (which === 'both' ? readAll() : Promise.resolve(['old'])),
    () => now,
  );
  const isRight = (secret: string) => token.verify(signed(TIME, secret).Sign, TIME);
  await token.load();

  const hanging = Promise.withResolvers<string[]>();
  [now, readAll] = [300_000, () => hanging.promise];
  let isVerified = false;
  const result = isRight('old').finally(() => (isVerified = true));
  await sleep(400);
  expect(isVerified).toBe(false);
  hanging.reject(new Error('no answer within 600 ms'));
  expect(await result).toBe(true);

  [now, readAll] = [900_000, async () => ['new', 'old']];
  expect(await isRight('new')).toBe(true);
});

/** Secrets Manager that fails for one version stage. */
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

  test('has only a current version before its first change', async () => {
    secretsManager.put('fresh', 'one');
    expect(await secretVersions(client, 'fresh')('both')).toEqual(['one']);
  });

  test('gives its current and its previous version, but no older one', async () => {
    for (const value of ['one', 'two', '三']) secretsManager.put('rotated', value);
    expect(await secretVersions(client, 'rotated')('both')).toEqual(['三', 'two']);
    expect(await secretVersions(client, 'rotated')('current')).toEqual(['三']);
  });

  test('is an error if it is empty, because anybody could sign with an empty token', async () => {
    secretsManager.put('empty', '');
    await expect(secretVersions(client, 'empty')('both')).rejects.toThrow(
      'the secret empty is empty: store the token of the Chat console there',
    );
  });

  test('is an error if the secret contains JSON, as the AWS console suggests', async () => {
    secretsManager.put('json', '{"token":"xxxxyyyy"}');
    await expect(secretVersions(client, 'json')('current')).rejects.toThrow('the secret json contains JSON: ');
  });

  test('is valid if only its previous version is empty', async () => {
    for (const value of ['', 'corrected']) secretsManager.put('corrected', value);
    expect(await secretVersions(client, 'corrected')('both')).toEqual(['corrected']);
  });

  test('is an error if its previous version cannot be read, because deliveries may be signed with it', async () => {
    const versions = secretVersions({ send: answerFor('AWSPREVIOUS', new Error('throttled')) } as never, 'any');
    await expect(versions('both')).rejects.toThrow('throttled');
  });

  test('is an error if it does not exist', async () => {
    await expect(secretVersions(client, 'nowhere')('both')).rejects.toThrow('no AWSCURRENT version of nowhere');
  });
});
