import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import packageJson from '../package.json' with { type: 'json' };
import { OPTIONS } from '../infra/settings.ts';
import { DOCUMENTED_SAMPLE, EXAMPLE_TOKEN, LOCAL_URL } from '../infra/local/chat.ts';
import { STORE_LIMITS } from '../lambda/limits.ts';
import { officialAccounts } from '../lambda/official-accounts.ts';
import { REASONS } from '../lambda/reply.ts';
import { ROOT } from './infra/local-receiver.ts';

const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');

/** The cells of the table with this heading, row by row. */
function table(firstHeading: string): string[][] {
  const lines = readme.split('\n');
  const start = lines.findIndex((line) => line.startsWith(`| ${firstHeading} `));
  expect(start).toBeGreaterThan(0);
  const rows = lines.slice(start + 2);
  return rows.slice(0, rows.indexOf('')).map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim().replaceAll('`', '')),
  );
}

test('the replies table holds every reason, in the order of the checks', () => {
  expect(table('ErrorCode').map(([code, status]) => [Number(code), Number(status)])).toEqual(
    Object.values(REASONS).map(({ errorCode, status }) => [errorCode, status]),
  );
});

test('the configuration table holds every option', () => {
  expect(table('context').map(([name]) => name)).toEqual(OPTIONS);
});

test('the record table holds every attribute that is written', async () => {
  let names: string[] = [];
  const client = {
    send: async ({ input }: { input: { Key: object; ExpressionAttributeNames: object } }) => {
      names = [...Object.keys(input.Key), ...Object.values(input.ExpressionAttributeNames)];
    },
  };
  await officialAccounts(client as never, 'accounts', STORE_LIMITS).upsert({
    sdkAppId: '1',
    officialAccountId: 'a',
    name: '名',
    ownerAccount: 'o',
    operatorAccount: 'p',
    createdTime: 1,
    eventTime: 1,
    receivedTime: 2,
    clientIp: undefined,
    optPlatform: undefined,
  });
  expect(
    table('attribute')
      .map(([name]) => name)
      .toSorted(),
  ).toEqual(names.toSorted());
});

test('every npm script that it names is there', () => {
  const named = [...readme.matchAll(/npm (?:run )?(start|test|(?<=run )\w+)/g)].map(([, name]) => name);
  expect(new Set(named).size).toBeGreaterThan(3);
  for (const name of named) expect(Object.keys(packageJson.scripts)).toContain(name);
});

test('every cdk command that it shows has the option without which there is no stack', () => {
  const commands = readme.match(/npx cdk [^`\n]*/g) ?? [];
  expect(commands.length).toBeGreaterThanOrEqual(3);
  for (const command of commands) expect(command).toContain('-c sdkAppId=1400000000');
});

test('its curl command sends the documented sample to the local receiver', () => {
  expect(readme).toContain(`--data '${JSON.stringify(DOCUMENTED_SAMPLE)}'`);
  expect(readme).toContain(`curl "${LOCAL_URL}?SdkAppid=1400000000`);
  expect(readme).toContain(`printf %s "${EXAMPLE_TOKEN}$TIME"`);
});
