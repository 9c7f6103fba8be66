import { expect, test } from '@jest/globals';
import { officialAccountFull } from '../../../lambda/commands/official-account-full.ts';
import { received } from '../../account-events.ts';
import { RECEIVED, recorded } from '../../delivery.ts';

test('the documented sample says when the account was full, and nothing else', async () => {
  const { events } = await received(officialAccountFull.receive, (event) => (event.body = recorded('full')));
  expect(events).toEqual([
    {
      sdkAppId: '1400000000',
      officialAccountId: '@TOA#_test_OA_for_penn',
      eventTime: 1670574414123,
      receivedTime: RECEIVED,
      timestampAttribute: 'lastFullTime',
      attributes: {},
    },
  ]);
});
