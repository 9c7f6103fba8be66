import { expect, test } from '@jest/globals';
import { officialAccountFull } from '../../../lambda/commands/official-account-full.ts';
import { eventIn } from '../../account-events.ts';
import { RECEIVED, recorded } from '../../delivery.ts';

test('the documented sample sets lastFullTime and no profile attributes', () => {
  expect(eventIn(officialAccountFull, (event) => (event.body = recorded('full')))).toEqual({
    sdkAppId: '1400000000',
    officialAccountId: '@TOA#_test_OA_for_penn',
    eventTime: 1670574414123,
    receivedTime: RECEIVED,
    timestampAttribute: 'lastFullTime',
    attributes: {},
  });
});
