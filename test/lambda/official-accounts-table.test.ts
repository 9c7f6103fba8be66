import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { ConditionalCheckFailedException, type DynamoDBClient } from '@aws-sdk/client-dynamodb';
import * as fc from 'fast-check';
import { BACKGROUND_LIMITS } from '../../lambda/limits.ts';
import type { AccountEvent } from '../../lambda/official-account.ts';
import { officialAccountsTable, type OfficialAccounts } from '../../lambda/official-accounts-table.ts';
import { destroyAtDeadline, abortAtDeadline } from '../../lambda/sdk-client.ts';
import { arrivals, modelOf, visible } from '../account-events.ts';
import { startAccountsTable, type AccountsTable } from '../accounts-table.ts';

let table: AccountsTable;
beforeAll(async () => {
  table = await startAccountsTable();
});
afterAll(() => table.close());

function created(officialAccountId: string, eventTime: number): AccountEvent {
  return {
    sdkAppId: '1400000000',
    officialAccountId,
    eventTime,
    receivedTime: eventTime + 100,
    clientIp: '203.0.113.7',
    optPlatform: 'RESTAPI',
    timestampAttribute: 'createdTime',
    attributes: { name: `新闻 ${eventTime}`, ownerAccount: '107867', operatorAccount: '107867' },
  };
}

/** The record after a creation as the first event. */
function recordOf({ timestampAttribute: _, attributes, ...event }: AccountEvent): Record<string, unknown> {
  return { ...event, ...attributes, createdTime: event.eventTime, revision: 1 };
}

const changed = (id: string, eventTime: number, attributes: AccountEvent['attributes']): AccountEvent => {
  const { timestampAttribute: _, ...event } = created(id, eventTime);
  return { ...event, attributes };
};

const WRITE = 'UpdateItemCommand';
const apply = async (event: AccountEvent) => {
  table.calls.splice(0);
  return { result: await table.accounts.apply(event), calls: [...table.calls] };
};

test.each(['@TOA#_news', '#TOA#_ two  spaces ', '@TOA#_新闻😀', 'x'.repeat(1024)])(
  'the ID of an official account is stored byte by byte: %s',
  async (id) => {
    expect(await table.accounts.apply(created(id, 1000))).toBe('stored');
    expect(await table.record(id)).toEqual(recordOf(created(id, 1000)));
  },
);

test('a delivery that comes twice is stored once; the repeat takes one rejected write, no read, and changes nothing', async () => {
  const first = created('twice', 1000);
  expect(await table.accounts.apply(first)).toBe('stored');
  expect(await apply({ ...first, receivedTime: 9999 })).toEqual({ result: 'stale', calls: [WRITE] });
  expect(await table.record('twice')).toEqual(recordOf(first));
});

test('a newer account removes all values of an older one, except custom attributes', async () => {
  await table.accounts.apply(changed('newer', 500, { introduction: 'x', organization: 'y' }));
  await table.accounts.apply(created('newer', 1000));
  await table.put({ ...(await table.record('newer')), note: '人加的', tags: ['a'], revision: 2 });
  const newer = { ...created('newer', 2000), clientIp: undefined, optPlatform: undefined };
  expect(await table.accounts.apply(newer)).toBe('stored');
  const { clientIp: _, optPlatform: __, ...record } = recordOf(newer);
  expect(await table.record('newer')).toEqual({ ...record, note: '人加的', tags: ['a'], revision: 3 });
});

test('the same ID in two apps is two official accounts', async () => {
  await table.accounts.apply(created('shared', 1000));
  await table.accounts.apply({ ...created('shared', 500), sdkAppId: '1400000001' });
  expect((await table.record('shared'))?.['eventTime']).toBe(1000);
  expect((await table.record('shared', '1400000001'))?.['eventTime']).toBe(500);
});

test('after its deadline, an event out of order makes no further call', async () => {
  await table.accounts.apply(created('expired', 5));
  let calls = 0;
  const conflict = new ConditionalCheckFailedException({
    message: '',
    $metadata: {},
    Item: { eventTime: { N: '9' }, revision: { N: '1' } },
  });
  const client = {
    async send() {
      calls += 1;
      await sleep(10);
      throw conflict;
    },
    destroy() {},
  } as unknown as DynamoDBClient;
  const withDeadline = destroyAtDeadline(client, { attempts: 1, attemptMs: 100, totalMs: 100 });
  const result = officialAccountsTable(client, 'accounts', withDeadline).apply(created('expired', 8));
  await expect(result).rejects.toMatchObject({ name: 'TimeoutError' });
  const before = calls;
  await sleep(100);
  expect(calls - before).toBeLessThanOrEqual(1); // the call that was in progress
});

test('any error of DynamoDB except a failed condition is thrown', async () => {
  await expect(
    officialAccountsTable(table.client, 'nowhere', abortAtDeadline(BACKGROUND_LIMITS)).apply(created('a', 1)),
  ).rejects.toMatchObject({
    name: 'ResourceNotFoundException',
  });
});

test('events in order take one write each, and no read', async () => {
  const id = 'in order';
  for (const event of [
    created(id, 1),
    changed(id, 2, { name: '新' }),
    { ...changed(id, 3, {}), timestampAttribute: 'destroyedTime' as const },
  ]) {
    expect(await apply(event)).toEqual({ result: 'stored', calls: [WRITE] });
  }
});

test('an event out of order takes a second write, and no read', async () => {
  const id = 'out of order';
  await apply(changed(id, 2, { introduction: '简介' }));
  expect(await apply(created(id, 1))).toEqual({ result: 'stored', calls: [WRITE, WRITE] });
  expect(await table.record(id)).toMatchObject({ introduction: '简介', createdTime: 1, eventTime: 2, revision: 2 });
});

test('a record of an earlier version, without a revision, can be updated', async () => {
  const id = 'before';
  const { revision: _, ...before } = recordOf(created(id, 5));
  await table.put(before);
  expect((await apply(changed(id, 4, { name: '旧' }))).result).toBe('stale');
  expect(await table.record(id)).toEqual(before);
  expect((await apply(changed(id, 6, { introduction: '简介' }))).result).toBe('stored');
  expect((await apply({ ...changed(id, 5, {}), timestampAttribute: 'lastFullTime' })).result).toBe('stored');
  expect((await apply(changed(id, 5, { organization: '组织' }))).result).toBe('stored');
  expect(await table.record(id)).toEqual({
    ...before,
    eventTime: 6,
    receivedTime: 106,
    introduction: '简介',
    introductionTime: 6,
    organization: '组织',
    organizationTime: 5,
    lastFullTime: 5,
    revision: 3,
  });
});

test('a concurrent write of an earlier version, which does not change the revision, is not overwritten', async () => {
  const id = 'between';
  const { revision: _, ...before } = recordOf(created(id, 5));
  await table.put(before);
  const newer = { ...before, name: '之间', eventTime: 7, createdTime: 7 };
  const accounts = accountsWhere(async (write) => {
    if (write === 2) await table.put(newer);
  });
  expect(await accounts.apply(changed(id, 5, { introduction: '简介' }))).toBe('stale');
  expect(await table.record(id)).toEqual(newer);
});

test('an event is not merged into a record that was deleted between the writes; the next attempt stores it', async () => {
  const id = 'deleted';
  await table.accounts.apply(changed(id, 2, { introduction: '简介' }));
  const accounts = accountsWhere(async (write) => {
    if (write === 2) await table.delete(id);
  });
  await expect(accounts.apply(created(id, 1))).rejects.toThrow('without returning the record');
  expect(await table.record(id)).toBeUndefined();
  expect(await accounts.apply(created(id, 1))).toBe('stored');
  expect(await table.record(id)).toEqual(recordOf(created(id, 1)));
});

test('a failed condition without the record is an error, and nothing is overwritten', async () => {
  const id = 'without the record';
  await table.accounts.apply(created(id, 2));
  const before = await table.record(id);
  const accounts = accountsWhere(async () => {
    throw new ConditionalCheckFailedException({ message: 'The conditional request failed', $metadata: {} });
  });
  await expect(accounts.apply(changed(id, 1, { introduction: '简介' }))).rejects.toMatchObject({
    message: 'DynamoDB rejected a write without returning the record',
    cause: { name: 'ConditionalCheckFailedException' },
  });
  expect(await table.record(id)).toEqual(before);
});

/** The table's accounts, with an action before each write. The first write is number 1. */
function accountsWhere(beforeWrite: (write: number) => Promise<void>): OfficialAccounts {
  let writes = 0;
  const client = {
    async send(command: object, options: object) {
      await beforeWrite((writes += 1));
      return table.client.send(command as never, options);
    },
  } as unknown as DynamoDBClient;
  return officialAccountsTable(client, table.name, abortAtDeadline(BACKGROUND_LIMITS));
}

let sequences = 0;
// test/whole/convergence.test.ts tests events that arrive one after another.
test('the stored record depends only on the times of the events, in 50 random sequences that arrive at once', async () => {
  await fc.assert(
    fc.asyncProperty(arrivals, async (events) => {
      const id = `sequence ${(sequences += 1)}`;
      await Promise.all(events.map((event) => table.accounts.apply({ ...event, officialAccountId: id })));
      expect(visible((await table.record(id)) ?? {})).toEqual({ ...modelOf(events), officialAccountId: id });
    }),
    { numRuns: 50 },
  );
});
