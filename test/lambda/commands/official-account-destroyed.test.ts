import { expect, test } from '@jest/globals';
import type { AccountEvent } from '../../../lambda/official-account.ts';
import { officialAccountDestroyed } from '../../../lambda/commands/official-account-destroyed.ts';
import { eventIn } from '../../account-events.ts';
import { RECEIVED, recorded } from '../../delivery.ts';

function eventOf(change: (payload: Record<string, unknown>) => void = () => {}): AccountEvent {
  const body = recorded('destroyed');
  change(body);
  return eventIn(officialAccountDestroyed, (event) => (event.body = body));
}

test('the documented sample sets destroyedTime, the name and the owner', () => {
  expect(eventOf()).toEqual({
    sdkAppId: '1400000000',
    officialAccountId: '@TOA#_test_OA_for_penn',
    eventTime: 1670574414123,
    receivedTime: RECEIVED,
    timestampAttribute: 'destroyedTime',
    attributes: { name: 'TestOfficialAccount', ownerAccount: '107867' },
  });
});

test('a destruction without name and owner is accepted', () => {
  const event = eventOf((payload) => {
    delete payload['Name'];
    delete payload['Owner_Account'];
  });
  expect(event).toMatchObject({
    timestampAttribute: 'destroyedTime',
    attributes: { name: undefined, ownerAccount: undefined },
  });
});
