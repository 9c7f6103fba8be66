import { expect, test } from '@jest/globals';
import { parseAllowList } from '../../lambda/allow-list.ts';

test('every item that is neither an address nor a CIDR range counts as malformed', () => {
  const right = ['1.2.3.4', '1.2.3.0/24', '::1', '2001:db8::/128', '0.0.0.0/0'];
  const wrong = [
    '1.2.3',
    '1.2.3.4/33',
    '1.2.3.4/',
    '1.2.3.4/-1',
    '1.2.3.4/8/8',
    '::/129',
    'localhost',
    '',
    '1.2.3.4/0x8',
  ];
  expect(parseAllowList([...right, ...wrong]).malformed).toEqual(wrong);
});
