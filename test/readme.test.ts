import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { Template } from 'aws-cdk-lib/assertions';
import packageJson from '../package.json' with { type: 'json' };
import { webhookApp } from '../infra/app.ts';
import { EVENT_SOURCE } from '../infra/announcements.ts';
import { OPTIONS } from '../infra/settings.ts';
import { featureFlags } from '../infra/local/template.ts';
import { DOCUMENTED_SAMPLE, EXAMPLE_TOKEN, LOCAL_URL } from '../infra/local/chat.ts';
import { STORE_LIMITS } from '../lambda/limits.ts';
import { severalAtATime } from '../lambda/sdk-client.ts';
import { officialAccounts } from '../lambda/official-accounts.ts';
import { REASONS } from '../lambda/outcomes.ts';
import { announcementProblems } from './announcement.ts';
import { ROOT } from './program.ts';

const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
const template = Template.fromStack(
  webhookApp({
    context: {
      ...featureFlags(),
      sdkAppId: '1400000000',
      silenceHours: '24',
      allowedCidrs: '198.51.100.1',
      domainName: 'chat.example.com',
      certificateArn: 'arn:aws:acm:us-east-1:123456789012:certificate/0a1b',
    },
  }).stack,
);

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
  expect(table('ErrorCode').map(([code, status, reason]) => [Number(code), Number(status), reason])).toEqual(
    Object.entries(REASONS).map(([reason, { errorCode, status }]) => [errorCode, status, reason]),
  );
});

test('the configuration table holds every option', () => {
  expect(table('context').map(([name]) => name)).toEqual(OPTIONS);
});

test('the record table holds every attribute that is written', async () => {
  let names: string[] = [];
  const client = {
    send: async ({ input }: { input: { Key: object; UpdateExpression: string } }) => {
      names = [...Object.keys(input.Key), ...(input.UpdateExpression.match(/(?<![:\w])[a-z]\w*/g) ?? [])];
    },
  };
  await officialAccounts(client as never, 'accounts', severalAtATime(STORE_LIMITS)).upsert({
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

test('the alarms table holds every alarm of the stack', () => {
  const named = table('alarm').flatMap(([names = '']) => names.split(', '));
  const alarms = Object.values(template.findResources('AWS::CloudWatch::Alarm'));
  const ids = Object.keys(template.findResources('AWS::CloudWatch::Alarm')).map((id) => id.slice(0, -8));
  expect(named).toEqual(ids);
  // What their descriptions send people to is there.
  const sections = alarms.flatMap(
    ({ Properties }) => /README says under "(.*?)[.,]?"/.exec(Properties.AlarmDescription)?.[1] ?? [],
  );
  expect(sections).toEqual(['The dead-letter queue', 'Announcing again']);
  for (const section of sections) expect(readme).toContain(`### ${section}\n`);
});

test('the widgets table holds every widget of the dashboard, in its order', () => {
  const [{ Properties } = { Properties: undefined }] = Object.values(
    template.findResources('AWS::CloudWatch::Dashboard'),
  );
  const titles = [...JSON.stringify(Properties.DashboardBody).matchAll(/\\"title\\":\\"([^,:"\\]*(, by reason)?)/g)];
  expect(table('widget').flatMap(([names = '']) => names.split(/(?<!Refused), /))).toEqual(
    titles.map(([, title]) => title?.replace('’', "'")),
  );
});

test('the outputs that it names are there', () => {
  const outputs = Object.keys(template.findOutputs('*'));
  const named = new Set(
    [...readme.matchAll(/`((?!Callback)[A-Z]\w+(?:Url|Name|Command|Arn|Target))`/g)].map(([, name]) => name),
  );
  expect(named.size).toBeGreaterThan(5);
  expect([...named].filter((name) => !outputs.includes(name ?? ''))).toEqual([]);
});

test('the event that it shows is one', () => {
  const [, json = ''] = /```json\n(\{\n {2}"version": "0"[\s\S]*?)```/.exec(readme) ?? [];
  const event = JSON.parse(json);
  expect(announcementProblems(event.detail)).toEqual([]);
  expect([event.source, event['detail-type']]).toEqual([EVENT_SOURCE, 'Official Account Created']);
  for (const value of [`source: ['${EVENT_SOURCE}']`, `detailType: ['Official Account Created']`]) {
    expect(readme).toContain(value);
  }
  expect(readme).toContain(`Source: "${EVENT_SOURCE}", DetailType: "Official Account Created"`);
});

test('every link to a part of it leads there', () => {
  const anchors = [...readme.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\w\s-]/g, '')
      .replaceAll(' ', '-'),
  );
  const links = [...readme.matchAll(/\]\(#([^)]*)\)/g)].map(([, anchor]) => anchor);
  expect(links.length).toBeGreaterThan(5);
  for (const link of links) expect(anchors).toContain(link);
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
