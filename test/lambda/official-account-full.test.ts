import { expect, test } from '@jest/globals';
import type { AccountEvent } from '../../lambda/official-account.ts';
import { officialAccountFull } from '../../lambda/official-account-full.ts';
import { delivery, RECEIVED, recorded } from '../delivery.ts';

test('the documented sample says when the account was full, and nothing else', async () => {
  const events: AccountEvent[] = [];
  const apply = async (event: AccountEvent) => (events.push(event), 'stale' as const);
  const full = delivery((event) => (event.body = recorded('full')));
  expect(await officialAccountFull.receive({ apply }, full)).toBe('stale');
  expect(events).toEqual([
    {
      sdkAppId: '1400000000',
      officialAccountId: '@TOA#_test_OA_for_penn',
      eventTime: 1670574414123,
      receivedTime: RECEIVED,
      marks: 'lastFullTime',
      texts: {},
    },
  ]);
});
