import { createServer } from 'node:http';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { listen } from '../../../infra/local/aws/loopback.ts';
import { deadLettersProgram } from '../../../infra/operations/dead-letters.ts';
import { inProcess } from '../../in-process.ts';
import { program } from '../../program.ts';
import { AWS_ERRORS, receiverVariables, STACK, startFakeAws, type FakeAws } from '../operations/fake-aws.ts';

// All operator commands find their deployment in the same way. These tests use the shortest one.

let aws: FakeAws;
beforeEach(async () => {
  aws = await startFakeAws();
  aws.variables = receiverVariables('accounts');
});
afterEach(() => aws.close());

const CREDENTIAL_FILES = { AWS_SHARED_CREDENTIALS_FILE: '/nowhere', AWS_CONFIG_FILE: '/nowhere' };
const NO_CREDENTIALS = { ...CREDENTIAL_FILES, AWS_ACCESS_KEY_ID: '', AWS_EC2_METADATA_DISABLED: 'true' };

const DENIED = { GetFunctionConfiguration: AWS_ERRORS.denied('lambda:GetFunctionConfiguration') };
const TWO = { FirstReceiverName: 'a', SecondReceiverName: 'b', SecondWebhookUrl: 'https://b', SecondEventBusName: 'b' };

test.each<[string, { args?: string[]; env?: Record<string, string>; fake?: Partial<FakeAws> }, string]>([
  ['a stack that does not exist', { args: ['--stack', 'Nowhere'] }, 'There is no stack Nowhere in eu-central-1'],
  [
    'a function that cannot be read, one of several receivers,',
    { args: ['--stack', STACK, '--construct', 'Second'], fake: { outputs: TWO, errors: DENIED } },
    "Can't read the environment of the function b: your credentials lack the right lambda:GetFunctionConfiguration",
  ],
  [
    'an older stack',
    { fake: { outputs: { WebhookUrl: 'https://chat.example.com/webhook', EventBusName: 'bus' } } },
    'has no output ReceiverName',
  ],
  [
    'a missing permission to find the stack',
    { fake: { errors: { DescribeStacks: AWS_ERRORS.denied('cloudformation:DescribeStacks') } } },
    `Can't find the stack ${STACK}: your credentials lack the right cloudformation:DescribeStacks`,
  ],
  [
    'expired credentials',
    { fake: { errors: { DescribeStacks: AWS_ERRORS.expired } } },
    'your AWS credentials have expired: log in again',
  ],
  [
    'unknown credentials',
    { fake: { errors: { DescribeStacks: AWS_ERRORS.unknownKey } } },
    'AWS does not know your credentials',
  ],
  ['missing credentials', { env: NO_CREDENTIALS }, 'there are no AWS credentials'],
  ['a missing region', { env: { ...CREDENTIAL_FILES, AWS_REGION: '' } }, 'the region is missing: give --region'],
])('%s is reported in one line', async (_what, { args = ['--stack', STACK], env = {}, fake = {} }, message) => {
  Object.assign(aws, fake);
  const environment = { ...aws.environment, ...env };
  const { code, stdout, stderr } = await inProcess(deadLettersProgram, ['list', ...args], environment);
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  expect(stderr).toContain(message);
  expect(stderr.trimEnd()).not.toContain('\n');
});

const SEVERAL = `the stack ${STACK} contains First, Second: give one of them with --construct`;

test.each([
  [[], 'give either --stack <name> or --local'],
  [['--local', '--stack', STACK], "option '--local' cannot be used with option '--stack <name>'"],
  [['--stack', STACK], SEVERAL],
  [['--stack', STACK, '--construct', 'Third'], SEVERAL],
])('the deployment must be named in one way: %j', async (args, message) => {
  aws.outputs = TWO;
  const stderr = `${message}\nSee --help.\n`;
  expect(await inProcess(deadLettersProgram, ['list', ...args], aws.environment)).toEqual({
    code: 2,
    stdout: '',
    stderr,
  });
});

test('a missing connection to AWS is reported in one line', async () => {
  // In a separate process, because the SDK does not recognize Node's errors in Jest's context.
  const env = { ...aws.environment, AWS_ENDPOINT_URL_CLOUDFORMATION: 'http://127.0.0.1:1', AWS_MAX_ATTEMPTS: '1' };
  const { code, stderr } = await program('infra/operations/dead-letters.ts', ['list', '--stack', STACK], env).ended;
  expect(stderr).toMatch(/^Can't .*: AWS can't be reached \(ECONNREFUSED\)\n$/);
  expect(code).toBe(1);
});

test('if npm start does not run on the port, the message says how to start it', async () => {
  const server = createServer((_request, response) => response.writeHead(404).end('{"message":"Not Found"}'));
  const other = await listen(server, 0);
  for (const port of ['1', new URL(other.url).port]) {
    expect(await inProcess(deadLettersProgram, ['list', '--local', '--inspector-port', port])).toEqual({
      code: 1,
      stdout: '',
      stderr: `The inspector of 'npm start' does not run on port ${port}: start it, or give its port with --inspector-port\n`,
    });
  }
  await other.close();
});
