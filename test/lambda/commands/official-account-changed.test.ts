import { expect, test } from '@jest/globals';
import type { AccountEvent } from '../../../lambda/official-account.ts';
import { officialAccountChanged } from '../../../lambda/commands/official-account-changed.ts';
import { eventIn } from '../../account-events.ts';
import { RECEIVED, recorded } from '../../delivery.ts';

function eventOf(change: (payload: Record<string, unknown>) => void = () => {}): AccountEvent {
  const body = recorded('changed');
  change(body);
  return eventIn(officialAccountChanged, (event) => (event.body = body));
}

test('the documented sample sets the profile attributes and the operator', () => {
  expect(eventOf()).toEqual({
    sdkAppId: '1400000000',
    officialAccountId: '@TOA#_test_OA_for_penn',
    eventTime: 1670574414123,
    receivedTime: RECEIVED,
    attributes: {
      name: 'NewName',
      introduction: 'NewNotification',
      faceUrl: 'http://this.is.newface.url',
      organization: 'NewOrganization',
      operatorAccount: 'leckie',
    },
  });
});

test.each([
  ['Name', 'name'],
  ['Introduction', 'introduction'],
  ['FaceUrl', 'faceUrl'],
  ['Organization', 'organization'],
  ['Operator_Account', 'operatorAccount'],
])('%s may be absent, and an empty value is stored', async (field, attribute) => {
  const absent = eventOf((payload) => delete payload[field]);
  expect(absent.attributes).toHaveProperty(attribute, undefined);
  const empty = eventOf((payload) => (payload[field] = ''));
  expect(empty.attributes).toHaveProperty(attribute, '');
});

test.each(['Name', 'Introduction', 'FaceUrl', 'Organization', 'Operator_Account'])(
  '%s is rejected if it is not a string',
  (field) => {
    for (const value of [null, 5, {}, [], true]) {
      expect(() => eventOf((payload) => (payload[field] = value))).toThrow(
        expect.objectContaining({
          reason: 'badPayload',
          field,
        }),
      );
    }
  },
);
