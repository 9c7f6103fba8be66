import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { awsJsonServer, ServiceError } from '../../../infra/local/aws/aws-json.ts';
import { startEventBus, type BusEvent, type EventBus } from '../../../infra/local/aws/event-bus.ts';
import { listen, type Loopback } from '../../../infra/local/aws/loopback.ts';
import { republishProgram } from '../../../infra/operations/republish.ts';
import { startAccountsTable, type AccountsTable } from '../../accounts-table.ts';
import { SDK_APP_ID } from '../../delivery.ts';
import { eventProblems } from '../../event-problems.ts';
import { inProcess } from '../../in-process.ts';
import { program } from '../../program.ts';
import { receiverVariables, STACK, startFakeAws, type FakeAws } from './fake-aws.ts';

const TIME = Date.parse('2026-11-28T10:00:00Z');

/** Returns a record in the form of the table. */
const record = (officialAccountId: string, changes: Record<string, unknown> = {}) => ({
  sdkAppId: SDK_APP_ID,
  officialAccountId,
  name: `新闻 ${officialAccountId}`,
  ownerAccount: '107867',
  operatorAccount: '107867',
  createdTime: TIME - 500,
  eventTime: TIME - 500,
  receivedTime: TIME,
  clientIp: '203.0.113.7',
  optPlatform: 'RESTAPI',
  revision: 1,
  ...changes,
});
const DESTROYED = { destroyedTime: TIME - 400, eventTime: TIME - 400, revision: 2 };
const UNSEEN = { createdTime: undefined, nameTime: TIME - 500 };

let [aws, table, bus]: [FakeAws, AccountsTable, EventBus] = [] as never;
let received: BusEvent[];
beforeAll(async () => {
  [aws, table, bus] = await Promise.all([startFakeAws(), startAccountsTable(), startEventBus(['bus'])]);
  bus.subscribe((event) => received.push(event));
});
afterAll(() => Promise.all([aws.close(), table.close(), bus.close()]));
beforeEach(() => {
  aws.variables = receiverVariables(table.name);
  received = [];
});

const environment = (eventBridge: Loopback = bus) => ({
  ...aws.environment,
  AWS_ENDPOINT_URL_DYNAMODB: table.url,
  AWS_ENDPOINT_URL_EVENTBRIDGE: eventBridge.url,
});
const run = (args: string[], eventBridge?: Loopback) =>
  inProcess(republishProgram, [...args, '--stack', STACK], environment(eventBridge));
const details = () => received.map(({ detail }) => detail as Record<string, any>);
const ids = () => details().map(({ officialAccountId }) => officialAccountId);

/** Returns a period that no other test uses, so that no test sees the records of another. */
let hours = 0;
async function put(...records: Record<string, unknown>[]) {
  const from = TIME + (hours += 1) * 3_600_000;
  for (const [n, each] of records.entries()) {
    await table.put({ ...each, receivedTime: from + n });
  }
  return { from, range: ['--since', String(from), '--until', String(from + records.length - 1)] };
}

test('the accounts of a period are published, the oldest first, as destroyed or as created', async () => {
  const created = Array.from({ length: 10 }, (_, n) => record(`period ${9 - n}`));
  const custom = { note: '人加的', tags: new Set(['a']), nameTime: TIME };
  const unseen = [record('unseen', UNSEEN), record('unseen too', { ...DESTROYED, ...UNSEEN })];
  const all = [record('before'), ...created, record('destroyed', { ...DESTROYED, ...custom }), ...unseen];
  const { from } = await put(...all, record('after'));
  await table.put(record('another app’s', { sdkAppId: '1400000001', receivedTime: from + 1 }));
  const at = (n: number) => new Date(from + n).toISOString();
  expect(await run(['--since', at(1), '--until', at(13)])).toEqual({
    code: 0,
    stdout:
      `creation not seen           ${at(12)}  unseen\n` +
      `creation not seen           ${at(13)}  unseen too\n` +
      '13 found, 11 published (10 as created, 1 as destroyed), 2 whose creation has not been seen, 0 unpublishable in the ' +
      `stack ${STACK}.\n`,
    stderr: '',
  });
  expect(details().flatMap(eventProblems)).toEqual([]);
  const published = [...created, record('destroyed', DESTROYED)];
  expect(details()).toEqual(
    published.map((each, n) => ({
      ...each,
      receivedTime: from + 1 + n,
      version: 1,
      type: `Official Account ${n < created.length ? 'Created' : 'Destroyed'}`,
    })),
  );
  expect(received.map((event) => event['detail-type'])).toEqual(details().map(({ type }) => type));
});

test('one account is published by its exact ID', async () => {
  await put(record(' #TOA#_新闻 '), record('#TOA#_新闻'));
  const { code, stdout } = await run(['--id', ' #TOA#_新闻 ']);
  expect(stdout).toContain('1 found, 1 published (1 as created, 0 as destroyed)');
  expect(code).toBe(0);
  expect(ids()).toEqual([' #TOA#_新闻 ']);
});

test('--dry-run lists the accounts, and does not call the event bus', async () => {
  const { from, range } = await put(record('dry'), record('dry too', DESTROYED), record('dry unseen', UNSEEN));
  const { code, stdout } = await run([...range, '--dry-run'], { url: 'http://127.0.0.1:1', close: async () => {} });
  const at = (n: number) => new Date(from + n).toISOString();
  expect(stdout).toBe(
    `Official Account Created    ${at(0)}  dry\n` +
      `Official Account Destroyed  ${at(1)}  dry too\n` +
      `creation not seen           ${at(2)}  dry unseen\n` +
      `3 found in the stack ${STACK}: 2 would be published.\n`,
  );
  expect(code).toBe(0);
  expect(received).toEqual([]);
});

test('an unpublishable record is named, and does not block others', async () => {
  const { range } = await put(record('bad\u001B[31m', { name: 5 }), record('good'));
  for (const [args, published] of [
    [['--dry-run'], []],
    [[], ['good']],
  ] as const) {
    const { code, stdout } = await run([...range, ...args]);
    expect(stdout).toMatch(/^unpublishable .* bad \[31m: name is of another type than the JSON Schema says$/m);
    expect(code).toBe(1);
    expect(ids()).toEqual(published);
  }
});

test('records of many pages are found, and their events are sent in calls of up to 256 KB', async () => {
  const { range } = await put(
    ...Array.from({ length: 25 }, (_, n) =>
      record(`large ${n}`, { introduction: '字'.repeat(30_000), introductionTime: TIME }),
    ),
  );
  const { code, stdout } = await run(range);
  expect(stdout).toContain('25 found, 25 published');
  expect(code).toBe(0);
  expect(received).toHaveLength(25);
});

test('an empty period is not an error', async () => {
  const { code, stdout } = await run(['--since', '2020-01-01', '--until', '2020-01-02T00:00+08:00']);
  expect(stdout).toMatch(/^0 found, 0 published /);
  expect(code).toBe(0);
});

test('Ctrl-C stops after the running call; with the printed --since, every event is published at least once', async () => {
  const { range } = await put(...Array.from({ length: 100 }, (_, n) => record(`interrupted ${n}`)));
  const interrupted = program('infra/operations/republish.ts', [...range, '--stack', STACK], environment());
  const end = bus.subscribe(() => void (received.length === 25 && interrupted.child.kill('SIGINT')));
  const slow = bus.subscribe(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5)); // time for the signal
  const { code, stdout, stderr } = await interrupted.ended;
  end();
  slow();
  const [, left, since] =
    /^Interrupted\n(\d+) left: run the same command again with --since (\d+)\.\n$/.exec(stderr) ?? [];
  expect(stdout).toContain(`100 found, ${received.length} published`);
  expect(Number(left)).toBe(100 - received.length);
  expect(Number(left)).toBeGreaterThan(0);
  expect(code).toBe(1);
  const again = await run(['--since', String(since), ...range.slice(2)]);
  expect(again).toMatchObject({ code: 0, stdout: expect.stringContaining(`${left} found, ${left} published`) });
  expect(new Set(ids()).size).toBe(100);
  expect(received).toHaveLength(100);
});

describe('if the event bus fails', () => {
  /** Starts an event bus with the given answer to `PutEvents`. */
  async function startBus(answer: (ids: string[]) => object) {
    const idsOf = (entries: unknown) =>
      (entries as { Detail: string }[]).map(({ Detail }) => JSON.parse(Detail).officialAccountId);
    const server = awsJsonServer({ 'AWSEvents.PutEvents': ({ Entries }) => answer(idsOf(Entries)) });
    const loopback = await listen(server, 0);
    return { ...loopback, [Symbol.asyncDispose]: loopback.close };
  }
  const ok = (entries: string[]) => entries.map((id) => ({ EventId: id }));

  test.each([
    ['AccessDeniedException', 'your credentials lack a right for it'],
    ['ThrottlingException', 'ThrottlingException'],
  ])('with %s, the command prints the reason and the number of remaining events', async (name, reason) => {
    const { from, range } = await put(...Array.from({ length: 30 }, (_, n) => record(`failing ${n}`)));
    let calls = 0;
    await using failing = await startBus((entries) => {
      if ((calls += 1) > 1) throw new ServiceError(name, 'no');
      return { FailedEntryCount: 0, Entries: ok(entries) };
    });
    const { code, stdout, stderr } = await run(range, failing);
    const left = `20 left: run the same command again with --since ${from + 10}.`;
    expect(stderr).toBe(`Can't publish on the event bus: ${reason}\n${left}\n`);
    expect(stdout).toContain('30 found, 10 published');
    expect(code).toBe(1);
  });

  test('permanently, the events are named and do not block others', async () => {
    const { range } = await put(...Array.from({ length: 30 }, (_, n) => record(`wrong ${n}`)));
    await using failing = await startBus((entries) => ({
      Entries: ok(entries).map((each) =>
        each.EventId === 'wrong 7' ? { ErrorCode: 'InvalidArgument', ErrorMessage: 'no' } : each,
      ),
    }));
    const { code, stdout, stderr } = await run(range, failing);
    expect(stdout).toMatch(/^unpublishable .* wrong 7: InvalidArgument\n30 found, 29 published .* 1 unpublishable in/);
    expect(stderr).toBe('');
    expect(code).toBe(1);
  });
});

test.each<[string[], string]>([
  [[], 'give either --since <time> or --id <id>'],
  [['--until', '2026-11-28'], 'give either --since <time> or --id <id>'],
  [['--id', 'a', '--since', '2026-11-28'], "option '--id <id>' cannot be used with option '--since <time>'"],
  [['--id', 'a', '--until', '2026-11-28'], "option '--id <id>' cannot be used with option '--until <time>'"],
  [['--id', ''], "option '--id <id>' argument '' is invalid. An ID has 1 to 1024 bytes."],
  [['--since', '2999-01-01'], '--since is later than now'],
  [['--since', '2026-11-29', '--until', '2026-11-28T00:00+08:00'], '--since is later than --until'],
])('invalid options are reported in one line: %j', async (args, message) => {
  expect(await run(args)).toEqual({ code: 2, stdout: '', stderr: `${message}\nSee --help.\n` });
});

test.each(['yesterday', '1795392000', '2026-11-28T10:00:00', '2026-13-01', '', '9'.repeat(30)])(
  'a time cannot be written as "%s"',
  async (time) => {
    const { code, stderr } = await run(['--since', time]);
    expect(stderr).toContain(`argument '${time}' is invalid. It must be a time such as 2026-11-28T10:00:00Z`);
    expect(code).toBe(2);
  },
);

test.each<[string, Record<string, string>, string]>([
  ['an unknown account', {}, `There is no record of a in the stack ${STACK}`],
  ['a deleted table', { TABLE_NAME: 'nowhere' }, "Can't read the table: it does not exist any more"],
])('%s is reported in one line', async (_what, variables, message) => {
  aws.variables = { ...aws.variables, ...variables };
  expect(await run(['--id', 'a'])).toEqual({ code: 1, stdout: '', stderr: `${message}\n` });
});
