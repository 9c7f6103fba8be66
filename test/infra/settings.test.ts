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

  test.each<[string, Record<string, unknown>, string]>([
    [
      'no SDKAppID',
      { sdkAppId: undefined },
      "- sdkAppId is missing: give your app's SDKAppID, for example 1400000000\n",
    ],
    ['an empty SDKAppID', { sdkAppId: '' }, '- sdkAppId is missing'],
    [
      'an SDKAppID with other characters',
      { sdkAppId: '14-00' },
      "- sdkAppId is '14-00', but must be your app's SDKAppID: ",
    ],
    ['an SDKAppID of 0', { sdkAppId: 0 }, "- sdkAppId is '0', but must be your app's SDKAppID: "],
    ['an SDKAppID of 21 digits', { sdkAppId: '1'.repeat(21) }, "- sdkAppId is '111111111111111111111', but must be "],
    ['a list of SDKAppIDs', { sdkAppId: ['1400000000'] }, '- sdkAppId is ["1400000000"], but must be '],
    ['a domain without a certificate', { domainName: 'a.example.com' }, '- certificateArn is missing: '],
    ['a certificate without a domain', { certificateArn: CERTIFICATE }, '- domainName is missing: '],
    [
      'a URL for a domain',
      onDomain('https://chat.example.com'),
      "- domainName is 'https://chat.example.com', but must be a name like chat.example.com, in lower case, ",
    ],
    [
      'a domain in capitals, which API Gateway rejects',
      onDomain('Chat.example.com'),
      "- domainName is 'Chat.example.com', but must be a name like chat.example.com, ",
    ],
    [
      'a domain that is too long for the Chat console',
      onDomain(`${'a'.repeat(52)}.example.com`),
      `- domainName is '${'a'.repeat(52)}.example.com', but must be a name like chat.example.com, `,
    ],
    ...['a--b.example.com', 'chat.xn--fiqs8s', 'chat.a-----b.com'].map(
      (domainName): [string, Record<string, unknown>, string] => [
        `two hyphens in a row in ${domainName}, which the Chat console rejects`,
        onDomain(domainName),
        `- domainName is '${domainName}', but must be a name like chat.example.com, in lower case, of at most 63 ` +
          'characters and without two hyphens in a row',
      ],
    ),
    [
      'the ARN of something else',
      { domainName: 'a.example.com', certificateArn: 'arn:aws:iam::123456789012:role/x' },
      "- certificateArn is 'arn:aws:iam::123456789012:role/x', but must be the ARN of an ACM certificate\n",
    ],
    ['two mail addresses', { alarmEmail: 'a@b.com,c@d.com' }, '- alarmEmail is '],
    [
      'a stage with other characters',
      { stage: 'test_1' },
      "- stage is 'test_1', but must be 1 to 40 letters and digits",
    ],
    ['a stage that is too long for the names that contain it', { stage: 'a'.repeat(41) }, '- stage is '],
    ['a stage that ends in a hyphen', { stage: 'test-' }, "- stage is 'test-'"],
    [
      'more hours of silence than CloudWatch allows',
      { silenceHours: '169' },
      "- silenceHours is '169', but must be a whole number from 1 to 168\n",
    ],
    [
      'more than 60 minutes between probes',
      { probeMinutes: 61 },
      "- probeMinutes is '61', but must be a whole number from 1 to 60\n",
    ],
    ['no hours of silence', { silenceHours: 0 }, "- silenceHours is '0'"],
    ['half an instance', { provisionedConcurrency: 0.5 }, "- provisionedConcurrency is '0.5'"],
    ...[0, 10_001, 0.5, '1,000'].map((maxRequestsPerSecond): [string, Record<string, unknown>, string] => [
      `${maxRequestsPerSecond} requests a second`,
      { maxRequestsPerSecond },
      `- maxRequestsPerSecond is '${maxRequestsPerSecond}', but must be a whole number from 1 to 10000\n`,
    ]),
    [
      'another kind of authentication',
      { authentication: 'Off' },
      "- authentication is 'Off', but must be 'token' or 'off'\n",
    ],
    [
      'an invalid range',
      { allowedCidrs: '1.2.3.4/33' },
      "- allowedCidrs contains '1.2.3.4/33', which is neither an address nor a CIDR range\n",
    ],
    [
      'more ranges than fit into a function',
      { allowedCidrs: Array(300).fill('198.51.100.0/24') },
      '- allowedCidrs has 4799 characters, but only 3300 fit ',
    ],
    ...[
      'http://chat.example.com/',
      'https://203.0.113.7/hook',
      'https://[2001:db8::1]/hook',
      'https://user:s3cret@chat.example.com/',
      'https://chat.example.com/?token=s3cret',
      'https://chat.example.com/#x',
      'chat.example.com',
      'ftp://chat.example.com/',
      7,
    ].map((forwardUrl): [string, Record<string, unknown>, string] => [
      `the backend ${forwardUrl}`,
      { forwardUrl },
      '- forwardUrl must be an HTTPS URL with a host name, and without user name, password, query or fragment',
    ]),
    [
      'a backend on this machine, which a deployment cannot reach',
      { forwardUrl: 'http://127.0.0.1:8080/hook' },
      '- forwardUrl must begin with https://\n',
    ],
    [
      'a backend that is this webhook',
      { forwardUrl: 'https://a.example.com/x', ...onDomain('a.example.com') },
      '- forwardUrl must not lead to the own domain of the webhook\n',
    ],
    [
      'a list and a backend that do not fit together into a function',
      {
        forwardUrl: `https://a.example.com/${'x'.repeat(300)}`,
        allowedCidrs: Array(200).fill('198.51.100.0/24'),
      },
      '- forwardUrl and allowedCidrs together have more than the 3430 characters that fit ',
    ],
    ['an empty list as text', { allowedCidrs: ' , ' }, '- allowedCidrs is empty: '],
    [
      'an empty allow-list, as with -c if a command in $(…) has failed',
      { allowedCidrs: '' },
      '- allowedCidrs is empty: ',
    ],
    ['an empty list', { allowedCidrs: [] }, '- allowedCidrs is empty: '],
    ['an option in another spelling', { 'allowed-cidrs': '10.0.0.0/8' }, "- 'allowed-cidrs' is not an option"],
    [
      'a misspelt option',
      { allowedCIDRs: '1.2.3.4' },
      "- 'allowedCIDRs' is not an option of this stack: do you mean allowedCidrs?\n",
    ],
    ...[
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
      `- '${name}' is not an option of this stack: do you mean `,
    ]),
    [
      'a certificate that is none, without a second message that it is missing',
      { domainName: 'a.example.com', certificateArn: 'x' },
      "in cdk.json:\n- certificateArn is 'x', but must be the ARN of an ACM certificate\n",
    ],
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
