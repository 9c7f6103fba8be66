import { expect, test } from '@jest/globals';
import type { AccountEvent } from '../../../lambda/official-account.ts';
import { officialAccountDestroyed } from '../../../lambda/commands/official-account-destroyed.ts';
import { received } from '../../account-events.ts';
import { RECEIVED, recorded } from '../../delivery.ts';

async function applied(change: (payload: Record<string, unknown>) => void = () => {}): Promise<AccountEvent[]> {
  const body = recorded('destroyed');
  change(body);
  return (await received(officialAccountDestroyed.receive, (event) => (event.body = body))).events;
}

test('the documented sample says when, and what the account was', async () => {
  expect(await applied()).toEqual([
    {
      sdkAppId: '1400000000',
      officialAccountId: '@TOA#_test_OA_for_penn',
      eventTime: 1670574414123,
      receivedTime: RECEIVED,
      timestampAttribute: 'destroyedTime',
      attributes: { name: 'TestOfficialAccount', ownerAccount: '107867' },
    },
  ]);
});

test('that it was destroyed counts, whatever else is missing', async () => {
  const [event] = await applied((payload) => {
    delete payload['Name'];
    delete payload['Owner_Account'];
  });
  expect(event).toMatchObject({
    timestampAttribute: 'destroyedTime',
    attributes: { name: undefined, ownerAccount: undefined },
  });
});

test('a destruction whose EventTime counts seconds is refused: as a time in 1970 it would change nothing and be lost', async () => {
  await expect(applied((payload) => (payload['EventTime'] = 1670574414))).rejects.toMatchObject({
    reason: 'badPayload',
    field: 'EventTime',
  });
});

test.each(['Official_Account', 'EventTime'])('%s may not be absent', async (field) => {
  await expect(applied((payload) => delete payload[field])).rejects.toMatchObject({ reason: 'badPayload', field });
});
