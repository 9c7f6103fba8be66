import { describe, expect, test } from '@jest/globals';
import { LOCAL_CONTEXT, OPTIONS, readSettings } from '../../infra/settings.ts';

const CERTIFICATE = 'arn:aws-cn:acm:cn-north-1:123456789012:certificate/0a1b-2c3d';

const onDomain = (domainName: string) => ({ domainName, certificateArn: CERTIFICATE });

describe('context', () => {
  test('requires only the SDKAppID', () => {
    const settings = {
      sdkAppId: '1400000000',
      authentication: 'token',
      allowedCidrs: undefined,
      forwardUrl: undefined,
      domainName: undefined,
      certificateArn: undefined,
      alarmEmail: undefined,
      silenceHours: undefined,
      probeMinutes: undefined,
      provisionedConcurrency: 0,
      maxRequestsPerSecond: 1_000,
      stage: undefined,
    };
    expect(readSettings({ sdkAppId: '1400000000' })).toStrictEqual(settings);
    const empty = Object.fromEntries(OPTIONS.map((option) => [option, '']));
    expect(readSettings({ ...empty, allowedCidrs: null, sdkAppId: 1400000000 })).toStrictEqual(settings);
  });

  test('may have all options', () => {
    const settings = {
      sdkAppId: '1400000000',
      authentication: 'off',
      allowedCidrs: ['198.51.100.1'],
      forwardUrl: 'https://backend.example.com/im/hook',
      domainName: 'chat.example.com',
      certificateArn: CERTIFICATE,
      alarmEmail: 'ops@example.com',
      silenceHours: 168,
      probeMinutes: 60,
      provisionedConcurrency: 900,
      maxRequestsPerSecond: 10_000,
      stage: 'pre-production-2',
    };
    expect(readSettings(settings)).toStrictEqual(settings);
    const asText = Object.fromEntries(Object.entries(settings).map(([name, value]) => [name, String(value)]));
    expect(readSettings(asText)).toStrictEqual(settings);
  });

  test.each([`${'a'.repeat(51)}.example.com`, 'my-chat.a-b-c.example.com'])('may have the domain %s', (domainName) => {
    expect(readSettings({ sdkAppId: '1', domainName, certificateArn: CERTIFICATE }).domainName).toBe(domainName);
  });

  test('may have a list as text, as with -c, or as a list, as in cdk.json', () => {
    const allowedCidrs = ['198.51.100.0/24', '2001:db8::1'];
    const sdkAppId = '1400000000';
    expect(readSettings({ sdkAppId, allowedCidrs: '198.51.100.0/24, 2001:db8::1' }).allowedCidrs).toEqual(allowedCidrs);
    expect(readSettings({ sdkAppId, allowedCidrs }).allowedCidrs).toEqual(allowedCidrs);
  });

  const NUMBER = 'must be a whole number from';
  const NAME = 'must be a name like chat.example.com, in lower case, of at most 63 characters and without two hyphens';
  const BACKEND =
    '- forwardUrl must be an HTTPS URL with a host name, and without user name, password, query or fragment';
  const misspelt = (name: string) => `- '${name}' is not an option of this stack: do you mean `;

  test.each<[option: string, mustBe: string, values: unknown[]]>([
    ['sdkAppId', "must be your app's SDKAppID: 1 to 20 digits", ['14-00', 0, '1'.repeat(21), ['1400000000']]],
    ['authentication', "must be 'token' or 'off'\n", ['Off']],
    ['domainName', NAME, ['https://chat.example.com', 'Chat.example.com', `${'a'.repeat(52)}.example.com`]],
    ['domainName', NAME, ['a--b.example.com', 'chat.xn--fiqs8s', 'chat.a-----b.com']],
    ['certificateArn', 'must be the ARN of an ACM certificate\n', ['arn:aws:iam::123456789012:role/x', 'x']],
    ['alarmEmail', 'must be one mail address\n', ['a@b.com,c@d.com']],
    ['stage', 'must be 1 to 40 letters and digits', ['test_1', 'a'.repeat(41), 'test-']],
    ['silenceHours', `${NUMBER} 1 to 168\n`, ['169', 0]],
    ['probeMinutes', `${NUMBER} 1 to 60\n`, [61]],
    ['provisionedConcurrency', `${NUMBER} 0 to 900\n`, [0.5]],
    ['maxRequestsPerSecond', `${NUMBER} 1 to 10000\n`, [0, 10_001, 0.5, '1,000']],
  ])('is rejected if %s is wrong: it %s', (option, mustBe, values) => {
    for (const value of values) {
      const context = { sdkAppId: '1', ...onDomain('a.example.com'), [option]: value };
      const quoted = Array.isArray(value) ? JSON.stringify(value) : `'${value}'`;
      // The only problem: for example, a wrong certificate is not also missing.
      expect(() => readSettings(context)).toThrow(`in cdk.json:\n- ${option} is ${quoted}, but ${mustBe}`);
    }
  });

  test.each<[string, Record<string, unknown>, string]>([
    [
      'no SDKAppID',
      { sdkAppId: undefined },
      "- sdkAppId is missing: give your app's SDKAppID, for example 1400000000\n",
    ],
    ['an empty SDKAppID', { sdkAppId: '' }, '- sdkAppId is missing'],
    ['a domain without a certificate', { domainName: 'a.example.com' }, '- certificateArn is missing: '],
    ['a certificate without a domain', { certificateArn: CERTIFICATE }, '- domainName is missing: '],
    [
      'a wrong range',
      { allowedCidrs: '1.2.3.4/33' },
      "- allowedCidrs contains '1.2.3.4/33', which is neither an address ",
    ],
    [
      'too many ranges',
      { allowedCidrs: Array(300).fill('198.51.100.0/24') },
      'has 4799 characters, but only 3300 fit ',
    ],
    ['an empty list as text', { allowedCidrs: ' , ' }, '- allowedCidrs is empty: '],
    ['an empty list', { allowedCidrs: [] }, '- allowedCidrs is empty: '],
    ['an empty text, as -c gives it if a command in $(…) fails', { allowedCidrs: '' }, '- allowedCidrs is empty: '],
    ['a backend without TLS', { forwardUrl: 'http://chat.example.com/' }, BACKEND],
    ['a backend without a host name', { forwardUrl: 'https://203.0.113.7/hook' }, BACKEND],
    ['a backend with an IPv6 address', { forwardUrl: 'https://[2001:db8::1]/hook' }, BACKEND],
    ['a backend with a password', { forwardUrl: 'https://user:s3cret@chat.example.com/' }, BACKEND],
    ['a backend with a query', { forwardUrl: 'https://chat.example.com/?token=s3cret' }, BACKEND],
    ['a backend with a fragment', { forwardUrl: 'https://chat.example.com/#x' }, BACKEND],
    ['a backend without a protocol', { forwardUrl: 'chat.example.com' }, BACKEND],
    ['a backend with another protocol', { forwardUrl: 'ftp://chat.example.com/' }, BACKEND],
    ['a backend that is no text', { forwardUrl: 7 }, BACKEND],
    ['a backend on this machine', { forwardUrl: 'http://127.0.0.1/hook' }, '- forwardUrl must begin with https://\n'],
    [
      'a backend that is this webhook',
      { forwardUrl: 'https://a.example.com/x', ...onDomain('a.example.com') },
      '- forwardUrl must not lead to the own domain of the webhook\n',
    ],
    [
      'a list and a backend that do not fit together into a function',
      { forwardUrl: `https://a.example.com/${'x'.repeat(300)}`, allowedCidrs: Array(200).fill('198.51.100.0/24') },
      '- forwardUrl and allowedCidrs together have more than the 3430 characters that fit ',
    ],
    ['a misspelt option', { allowedCIDRs: '1.2.3.4' }, `${misspelt('allowedCIDRs')}allowedCidrs?\n`],
    ...[
      'allowed-cidrs',
      'alarmEmails',
      'allowedCidr',
      'SDKAPPID',
      'sdk_app_id',
      'silenceHour',
      'probMinuts',
      'forwardUri',
      'stages',
    ].map((name): [string, Record<string, unknown>, string] => [
      `the misspelt option ${name}`,
      { [name]: 'x' },
      misspelt(name),
    ]),
  ])('with %s is rejected', (_what, context, problem) => {
    expect(() => readSettings({ sdkAppId: '1', ...context })).toThrow(problem);
  });

  test.each(['owner', 'stack', 'env', 'team-name', 'vpcId', 'domain', 'image', '公司', '@aws-cdk/core:x'])(
    'may contain the name %s, which comes from ~/.cdk.json',
    (name) => {
      expect(readSettings({ sdkAppId: '1', [name]: 'x' })).toMatchObject({ sdkAppId: '1' });
    },
  );

  test('that was not looked up yet is not checked', () => {
    const dummy = (name: string) => ({ [name]: `dummy-value-for-/${name}` });
    const names = [
      'sdkAppId',
      'certificateArn',
      'domainName',
      'alarmEmail',
      'allowedCidrs',
      'forwardUrl',
      'probeMinutes',
    ];
    expect(readSettings(Object.assign({}, ...names.map(dummy)))).toMatchObject({
      sdkAppId: 'dummy-value-for-/sdkAppId',
      allowedCidrs: ['dummy-value-for-/allowedCidrs'],
      probeMinutes: 1,
    });
  });

  test('with a password in the backend is rejected without printing the password', () => {
    const forwardUrl = 'https://user:s3cret@chat.example.com/';
    expect(() => readSettings({ sdkAppId: '1', forwardUrl })).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining('s3cret') }),
    );
  });

  test.each(['http://127.0.0.1:8080/hook', 'http://[::1]/', 'http://localhost:1/'])(
    'of npm start may have the backend %s',
    (forwardUrl) => {
      expect(readSettings({ sdkAppId: '1', forwardUrl, [LOCAL_CONTEXT]: true })).toMatchObject({ forwardUrl });
    },
  );

  test('may have a backend with a Chinese host and path, which become ASCII', () => {
    expect(readSettings({ sdkAppId: '1', forwardUrl: 'https://例子.example.com/回调' }).forwardUrl).toBe(
      'https://xn--fsqu00a.example.com/%E5%9B%9E%E8%B0%83',
    );
  });

  test('is rejected with all problems at once', () => {
    expect(() => readSettings({ authentication: 'x', allowedCidrs: 'y' })).toThrow(
      /^The stack's context is wrong. .*:\n- sdkAppId .*\n- authentication .*\n- allowedCidrs .*\n$/,
    );
  });
});
