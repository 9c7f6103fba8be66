import { describe, expect, test } from '@jest/globals';
import { addressList, checkAddress, checkApp } from '../../lambda/app.ts';
import type { Query } from '../../lambda/delivery.ts';
import { CREATED, request } from '../delivery.ts';

describe('a delivery for the app 1400000000', () => {
  test.each<[string, string, Query]>([
    ['with its SDKAppID', 'passes', { sdkAppId: '1400000000', callbackCommand: CREATED }],
    ['without SdkAppid and command, as the Verify probe', 'passes', {}],
    ['with another SDKAppID', 'wrongApp', { sdkAppId: '1400000001', callbackCommand: CREATED }],
    ['with another SDKAppID and no command', 'wrongApp', { sdkAppId: '1400000001' }],
    ['with a command, but no SdkAppid', 'wrongApp', { callbackCommand: CREATED }],
    ['with SdkAppid twice', 'wrongApp', { sdkAppId: '1400000000,1400000000', callbackCommand: CREATED }],
    ['with a space behind', 'wrongApp', { sdkAppId: '1400000000 ', callbackCommand: CREATED }],
    ['with the same number written otherwise', 'wrongApp', { sdkAppId: '01400000000', callbackCommand: CREATED }],
  ])('%s: %s', (_what, outcome, query) => {
    const check = () => checkApp('1400000000')(request((delivery) => (delivery.query = query)) as never);
    if (outcome === 'passes') expect(check).not.toThrow();
    else expect(check).toThrow(expect.objectContaining({ reason: outcome }));
  });
});

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
