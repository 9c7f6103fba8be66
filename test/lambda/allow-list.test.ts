import { describe, expect, test } from '@jest/globals';
import { addressList, checkAddress } from '../../lambda/allow-list.ts';
import { request } from '../delivery.ts';

describe('the allow-list', () => {
  test.each([
    ['198.51.100.1', ['198.51.100.1'], true],
    ['198.51.100.1', ['198.51.100.0/24'], true],
    ['198.51.100.1', ['203.0.113.0/24', '198.51.100.1/32'], true],
    ['198.51.101.1', ['198.51.100.0/24'], false],
    ['2001:db8::1', ['2001:db8::/32'], true],
    ['2001:db9::1', ['2001:db8::/32'], false],
    ['198.51.100.1', ['2001:db8::/32'], false],
    ['198.51.100.1', ['0.0.0.0/0'], true],
    ['not an address', ['0.0.0.0/0'], false],
    ['198.51.100.1', [], true],
  ])('%s against %j: let through is %s', (address, cidrs, isAllowed) => {
    const check = () =>
      checkAddress(cidrs)(request((delivery) => (delivery.requestContext.http.sourceIp = address)) as never);
    if (isAllowed) expect(check).not.toThrow();
    else expect(check).toThrow(expect.objectContaining({ reason: 'wrongAddress' }));
  });

  test('names what is neither an address nor a range', () => {
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
    expect(addressList([...right, ...wrong]).malformed).toEqual(wrong);
  });
});
