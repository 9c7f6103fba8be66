import { describe, expect, test } from '@jest/globals';
import { checkSourceAddress } from '../../../lambda/checks/source-address.ts';
import { request } from '../../delivery.ts';

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
  ])('%s with the list %j: accepted is %s', (address, cidrs, isAllowed) => {
    const check = () =>
      checkSourceAddress(cidrs)(request((delivery) => (delivery.requestContext.http.sourceIp = address)) as never);
    if (isAllowed) expect(check).not.toThrow();
    else expect(check).toThrow(expect.objectContaining({ reason: 'wrongAddress' }));
  });
});
