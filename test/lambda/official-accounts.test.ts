import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { REDRIVE_LIMITS } from '../../lambda/limits.ts';
import { officialAccounts, type OfficialAccount } from '../../lambda/official-accounts.ts';
import { severalAtATime } from '../../lambda/sdk-client.ts';
import { startAccountsTable, type AccountsTable } from '../accounts-table.ts';

let table: AccountsTable;
beforeAll(async () => {
  table = await startAccountsTable();
});
afterAll(() => table.close());

function account(officialAccountId: string, eventTime: number): OfficialAccount {
  return {
    sdkAppId: '1400000000',
    officialAccountId,
    name: `新闻 ${eventTime}`,
    ownerAccount: '107867',
    operatorAccount: '107867',
    createdTime: eventTime,
    eventTime,
    receivedTime: eventTime + 100,
    clientIp: '203.0.113.7',
    optPlatform: 'RESTAPI',
  };
}

test.each(['@TOA#_news', '#TOA#_ two  spaces ', '@TOA#_新闻😀', 'x'.repeat(1024)])(
  'an official account is stored under its ID, byte for byte: %s',
  async (id) => {
    expect(await table.accounts.upsert(account(id, 1000))).toBe('stored');
    expect(await table.record(id)).toEqual(account(id, 1000));
  },
);

test('a delivery that comes twice is stored once, and the repeat changes no attribute', async () => {
  const first = account('twice', 1000);
  expect(await table.accounts.upsert(first)).toBe('stored');
  expect(await table.accounts.upsert({ ...first, receivedTime: 9999, name: 'other', clientIp: undefined })).toBe(
    'stale',
  );
  expect(await table.record('twice')).toEqual(first);
});

test('an older event changes nothing', async () => {
  await table.accounts.upsert(account('older', 2000));
  expect(await table.accounts.upsert(account('older', 1999))).toBe('stale');
  expect(await table.record('older')).toEqual(account('older', 2000));
});

test('nothing of an older event remains in the record of a newer one', async () => {
  await table.accounts.upsert(account('newer', 1000));
  const { clientIp: _, optPlatform: __, ...newer } = account('newer', 2000);
  expect(await table.accounts.upsert({ ...newer, clientIp: undefined, optPlatform: undefined })).toBe('stored');
  expect(await table.record('newer')).toEqual(newer);
});

test('the same ID in two apps is two official accounts', async () => {
  await table.accounts.upsert(account('shared', 1000));
  await table.accounts.upsert({ ...account('shared', 500), sdkAppId: '1400000001' });
  expect((await table.record('shared'))?.['eventTime']).toBe(1000);
  expect((await table.record('shared', '1400000001'))?.['eventTime']).toBe(500);
});

test('what DynamoDB refuses for another reason than the condition is thrown', async () => {
  await expect(
    officialAccounts(table.client, 'nowhere', severalAtATime(REDRIVE_LIMITS)).upsert(account('a', 1)),
  ).rejects.toMatchObject({
    name: 'ResourceNotFoundException',
  });
});
