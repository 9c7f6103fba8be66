import { BlockList, isIP } from 'node:net';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { notCovered } from '../../../infra/operations/address-ranges.ts';
import { allowListProgram } from '../../../infra/operations/allow-list.ts';
import { KEY, startChatRestServer, type ChatRestServer } from '../../chat-rest-server.ts';
import { SDK_APP_ID } from '../../delivery.ts';
import { inProcess } from '../../in-process.ts';
import { program } from '../../program.ts';
import { receiverVariables, STACK, startFakeAws, type FakeAws } from './fake-aws.ts';

let chat: ChatRestServer;
let aws: FakeAws;
beforeAll(async () => {
  [chat, aws] = await Promise.all([startChatRestServer(), startFakeAws()]);
});
afterAll(() => Promise.all([chat.close(), aws.close()]));
beforeEach(() => {
  chat.calls.splice(0);
  chat.addresses = ['203.0.113.0/24', '198.51.100.7', '2001:db8::/32'];
  aws.variables = receiverVariables('accounts');
});

const allowList = (...args: string[]) =>
  inProcess(allowListProgram, [...args, '--chat-url', chat.url], { ...aws.environment, CHAT_APP_KEY: KEY });

test('show prints Chat’s addresses, for a deployment and for an app', async () => {
  const lines = '203.0.113.0/24\n198.51.100.7\n2001:db8::/32\n';
  expect(await allowList('show', '--stack', STACK)).toEqual({ code: 0, stdout: lines, stderr: '' });
  const app = ['show', '--sdk-app-id', SDK_APP_ID, '--nettype', '6'];
  expect(await allowList(...app)).toEqual({ code: 0, stdout: lines, stderr: '' });
  const { stdout } = await allowList(...app, '--json');
  expect(JSON.parse(stdout)).toEqual(chat.addresses);
});

test.each([
  [['--region', 'eu-central-1'], '6'],
  [['--region', 'ap-east-1'], '5'],
  [['--region', 'cn-north-1'], '5'],
  [['--region', 'ap-east-1', '--nettype', '6'], '6'],
])('the addresses are those for the region of the receiver: %j', async (args, nettype) => {
  await allowList('show', '--stack', STACK, ...args);
  await allowList('show', '--sdk-app-id', SDK_APP_ID, ...args);
  expect(chat.calls.map(({ query }) => query.get('nettype'))).toEqual([nettype, nettype]);
});

const UP_TO_DATE = `The allow-list of the stack ${STACK} is up to date.`;
const ADDITIONAL = 'additional  192.0.2.1  Chat does not call from all of it';

test.each<[string, string, number, string[], object]>([
  ['the same list is up to date', '203.0.113.0/24,198.51.100.7,2001:db8::/32', 0, [UP_TO_DATE], {}],
  [
    'the same addresses in other ranges are up to date',
    '203.0.113.128/25,203.0.113.0/25,198.51.100.7/32,2001:0db8::/33,2001:db8:8000::/33',
    0,
    [UP_TO_DATE],
    {},
  ],
  [
    'a list with additional addresses is up to date, and they are named',
    '203.0.113.0/24,198.51.100.7,2001:db8::/32,192.0.2.1',
    0,
    [ADDITIONAL, UP_TO_DATE],
    { additional: ['192.0.2.1'] },
  ],
  [
    'a list that lacks addresses and has others is out of date, and the differences are named',
    '203.0.113.0/25,198.51.100.7,2001:db8::/32,192.0.2.1',
    1,
    [
      'missing     203.0.113.0/24  Chat calls from there, and is rejected',
      ADDITIONAL,
      `The allow-list of the stack ${STACK} is out of date. ` +
        'Deploy it with -c allowedCidrs=203.0.113.0/24,198.51.100.7,2001:db8::/32,192.0.2.1',
      'This keeps the additional addresses: remove those that are not your own.',
    ],
    { isCurrent: false, missing: ['203.0.113.0/24'], additional: ['192.0.2.1'] },
  ],
])('%s', async (_claim, cidrs, code, lines, differences) => {
  aws.variables['ALLOWED_CIDRS'] = cidrs;
  const printed = { code, stdout: `${lines.join('\n')}\n`, stderr: '' };
  expect(await allowList('check', '--stack', STACK)).toEqual(printed);
  const json = await allowList('check', '--stack', STACK, '--json');
  const upToDate = { isCurrent: true, hasList: true, missing: [], additional: [], now: chat.addresses };
  expect({ ...json, stdout: JSON.parse(json.stdout) }).toEqual({ ...printed, stdout: { ...upToDate, ...differences } });
});

test.each([
  ['no address', [], 'Chat answers without an address.'],
  ['a wrong address', ['192.0.2.1', '\u001B[31mx'], "Chat's answer has a wrong address:  [31mx\n"],
])('an answer with %s is an error', async (_what, addresses, message) => {
  chat.addresses = addresses;
  aws.variables['ALLOWED_CIDRS'] = '192.0.2.1';
  const { code, stdout, stderr } = await allowList('check', '--stack', STACK);
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  expect(stderr).toContain(message);
});
test.each([
  [['check', '--sdk-app-id', '1'], "unknown option '--sdk-app-id'"],
  [['show', '--stack', STACK, '--sdk-app-id', '1'], '--sdk-app-id cannot be used with --stack or --local'],
  [['show', '--sdk-app-id', '1'], '--sdk-app-id needs --region or --nettype'],
  [
    ['show', '--sdk-app-id', '1', '--region', 'hongkong'],
    "option '--region <region>' argument 'hongkong' is invalid. It must be an AWS region, for example eu-central-1.",
  ],
])('invalid options have the exit code 2: %j', async (args, message) => {
  const { code, stderr } = await allowList(...args);
  expect(stderr).toBe(`${message}\nSee --help.\n`);
  expect(code).toBe(2);
});

test('without a command, the help is printed and the exit code is 2', async () => {
  const { code, stdout, stderr } = await program('infra/operations/allow-list.ts', []).ended;
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toMatch(/^Usage: npm run allow-list --/);
});

test('for 300 random lists, the same addresses are covered as in Node’s BlockList', () => {
  // Close to each other, so that some are covered.
  const near = fc.tuple(fc.constantFrom('10.0.0.', '::10.0.0.', 'fe80::'), fc.nat(255), fc.integer({ min: 0, max: 8 }));
  const cidr = near.map(([start, end, free]) => [`${start}${end}`, (start.includes('::') ? 128 : 32) - free] as const);
  fc.assert(
    fc.property(fc.array(cidr, { maxLength: 6 }), near, (covers, [start, end]) => {
      const address = `${start}${end}`;
      const family = (text: string) => (isIP(text) === 6 ? 'ipv6' : 'ipv4');
      const list = new BlockList();
      for (const [network, bits] of covers) list.addSubnet(network, bits, family(network));
      const isCovered =
        notCovered(
          [address],
          covers.map(([network, bits]) => `${network}/${bits}`),
        ).length === 0;
      expect(isCovered).toBe(list.check(address, family(address)));
    }),
    { numRuns: 300 },
  );
});
