import { expect, test } from '@jest/globals';
import { PROFILE_ATTRIBUTES, TIMESTAMP_ATTRIBUTES } from '../../../lambda/commands/index.ts';

test('no attribute that a command sets has the name of another attribute of the record', () => {
  const ofEveryEvent = [
    'sdkAppId',
    'officialAccountId',
    'eventTime',
    'receivedTime',
    'clientIp',
    'optPlatform',
    'revision',
  ];
  const times = PROFILE_ATTRIBUTES.map((name) => `${name}Time`);
  const names = [...ofEveryEvent, ...PROFILE_ATTRIBUTES, ...times, ...TIMESTAMP_ATTRIBUTES];
  expect(names.filter((name, n) => names.indexOf(name) !== n)).toEqual([]);
});
