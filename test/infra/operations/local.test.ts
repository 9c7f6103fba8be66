import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { chatAccount, KEY, startChatRestServer, type ChatRestServer } from '../../chat-rest-server.ts';
import { post } from '../../delivery.ts';
import { startLocalReceiver, type LocalReceiver } from '../../local-receiver.ts';
import { program } from '../../program.ts';
import { until } from '../../until.ts';

let receiver: LocalReceiver;
let chat: ChatRestServer;
beforeAll(async () => {
  [receiver, chat] = await Promise.all([startLocalReceiver(), startChatRestServer()]);
});
afterAll(() => Promise.all([receiver.stop(), chat.close()]));

const local = () => ['--local', '--inspector-port', new URL(receiver.inspectorUrl).port];
const operate = (name: string, ...args: string[]) =>
  program(`infra/operations/${name}.ts`, [...args, ...local()], { CHAT_APP_KEY: KEY }).ended;

test('a dead letter is listed, sent back, listed again because it is still wrong, and deleted', async () => {
  const list = async (): Promise<Record<string, unknown>[]> =>
    JSON.parse((await operate('dead-letters', 'list', '--json')).stdout);
  expect(await list()).toEqual([]);
  await post(receiver.url, ({ payload }) => delete payload['Name']);
  const [letter] = await list();
  expect(letter).toMatchObject({ reason: 'badPayload', field: 'Name', officialAccountId: '@TOA#_test_OA_for_penn' });

  expect(await operate('dead-letters', 'replay', String(letter?.['id']))).toMatchObject({ code: 0, stderr: '' });
  const back = await until(async () => (await list())[0]);
  expect(back).toMatchObject({ reason: 'badPayload', requestId: letter?.['requestId'] });
  expect(back['id']).not.toBe(letter?.['id']);

  expect(await operate('dead-letters', 'drop', String(back['id']), '--yes')).toMatchObject({ code: 0, stderr: '' });
  expect(await list()).toEqual([]);
});

test('an account that is older than the receiver is stored and published', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'backfill-'));
  try {
    writeFileSync(join(directory, 'ids.txt'), '@TOA#_before\n');
    chat.accounts.set('@TOA#_before', chatAccount({ Name: '新闻' }));
    const args = ['--ids', 'ids.txt', '--chat-url', chat.url, ...local()];
    // npm's variable for the user's working directory, to which the path of the file is relative.
    const environment = { CHAT_APP_KEY: KEY, INIT_CWD: directory };
    const { code, stdout } = await program('infra/operations/backfill.ts', args, environment).ended;
    expect(stdout).toMatch(/^1 asked for: 1 found \(1 stored/);
    expect(code).toBe(0);
  } finally {
    rmSync(directory, { recursive: true });
  }
  expect((await receiver.records()).find(({ name }) => name === '新闻')).toMatchObject({
    officialAccountId: '@TOA#_before',
    createdTime: 1670574414000,
  });
  await until(() => /^event .*"Official Account Created".*@TOA#_before/m.test(receiver.output.stdout));
});

test('the events of ten accounts are published again, and --dry-run publishes none', async () => {
  const since = Date.now();
  for (let n = 0; n < 10; n += 1) {
    await post(receiver.url, ({ payload }) => (payload['Official_Account'] = `@TOA#_again ${n}`));
  }
  /** Returns the details of the events, in order. */
  const details = (): { officialAccountId: string }[] =>
    [...receiver.output.stdout.matchAll(/^event (.*"@TOA#_again .*)\n/gm)].map(
      ([, event = '']) => JSON.parse(event).detail,
    );
  await until(() => details().length === 10);

  const records = await receiver.records();
  const dryRun = await operate('republish', '--since', String(since), '--dry-run');
  expect(dryRun.stdout).toContain('10 found in the deployment on this machine: 10 would be published.\n');
  const { code, stdout } = await operate('republish', '--since', String(since));
  expect(stdout).toContain('10 found, 10 published (10 as created, 0 as destroyed)');
  expect(code).toBe(0);
  await until(() => details().length === 20);
  expect(details().slice(10)).toEqual(details().slice(0, 10));
  expect(await receiver.records()).toEqual(records);
});

test('the allow-list of a local deployment is compared', async () => {
  const { code, stdout } = await operate('allow-list', 'check', '--chat-url', chat.url);
  expect(stdout).toBe('There is no allow-list in the deployment on this machine: every address may call.\n');
  expect(code).toBe(0);
});
