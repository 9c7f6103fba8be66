import { describe, expect, test } from '@jest/globals';
import { readSettings } from '../../infra/app.ts';

describe('context', () => {
  test('needs nothing but the SDKAppID', () => {
    const settings = { sdkAppId: '1400000000', authentication: 'token', allowedCidrs: [] };
    expect(readSettings({ sdkAppId: '1400000000' })).toEqual(settings);
    expect(readSettings({ sdkAppId: 1400000000, authentication: '', allowedCidrs: '' })).toEqual(settings);
  });

  test('takes a list as text, as -c gives it, and as a list, as cdk.json has it', () => {
    const allowedCidrs = ['198.51.100.0/24', '2001:db8::1'];
    const sdkAppId = '1400000000';
    expect(readSettings({ sdkAppId, allowedCidrs: '198.51.100.0/24, 2001:db8::1' }).allowedCidrs).toEqual(allowedCidrs);
    expect(readSettings({ sdkAppId, allowedCidrs }).allowedCidrs).toEqual(allowedCidrs);
  });

  test.each<[string, Record<string, unknown>, string]>([
    ['no SDKAppID', {}, "- sdkAppId is missing: give your app's SDKAppID, as in -c sdkAppId=1400000000\n"],
    ['an empty SDKAppID', { sdkAppId: '' }, '- sdkAppId is missing'],
    ['an SDKAppID with other signs', { sdkAppId: '14-00' }, "- sdkAppId is '14-00', but an SDKAppID has digits only\n"],
    [
      'another kind of authentication',
      { sdkAppId: '1', authentication: 'Off' },
      "- authentication is 'Off', but must be 'token' or 'off'\n",
    ],
    [
      'a range that is none',
      { sdkAppId: '1', allowedCidrs: '1.2.3.4/33' },
      "- allowedCidrs: '1.2.3.4/33' is neither an address nor a CIDR range\n",
    ],
    [
      'more ranges than a function has room for',
      { sdkAppId: '1', allowedCidrs: Array(300).fill('198.51.100.0/24') },
      "- allowedCidrs is 4799 characters long, but a function's environment has room for 3500: merge ranges\n",
    ],
    [
      'a list of nothing',
      { sdkAppId: '1', allowedCidrs: ' , ' },
      '- allowedCidrs holds no address: leave it out to let every address call\n',
    ],
    ['an empty list', { sdkAppId: '1', allowedCidrs: [] }, '- allowedCidrs holds no address'],
    [
      'an option in another spelling',
      { sdkAppId: '1', 'allowed-cidrs': '10.0.0.0/8' },
      "- 'allowed-cidrs' is not an option",
    ],
    [
      'a misspelt option',
      { sdkAppId: '1', allowedCIDRs: '1.2.3.4' },
      "- 'allowedCIDRs' is not an option of this stack; its options are sdkAppId, authentication, allowedCidrs\n",
    ],
  ])('with %s is refused', (_what, context, problem) => {
    expect(() => readSettings(context)).toThrow(problem);
  });

  test('is refused with all its problems at once', () => {
    expect(() => readSettings({ authentication: 'x', allowedCidrs: 'y' })).toThrow(
      /^The stack's context is wrong:\n- sdkAppId .*\n- authentication .*\n- allowedCidrs: .*\n$/,
    );
  });
});
