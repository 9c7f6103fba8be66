import { expect, test } from '@jest/globals';
import { PROFILE_ATTRIBUTES, TIMESTAMP_ATTRIBUTES } from '../../../lambda/commands/index.ts';
import { COMMON_ATTRIBUTES } from '../../account-events.ts';

test('no attribute that a command sets has the name of another attribute of the record', () => {
  const times = PROFILE_ATTRIBUTES.map((name) => `${name}Time`);
  const names = [...COMMON_ATTRIBUTES, ...PROFILE_ATTRIBUTES, ...times, ...TIMESTAMP_ATTRIBUTES];
  expect(names.filter((name, n) => names.indexOf(name) !== n)).toEqual([]);
});
