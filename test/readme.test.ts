import { existsSync, globSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import packageJson from '../package.json' with { type: 'json' };
import { ADVICE } from '../infra/alarms.ts';
import { EVENT_SOURCE } from '../infra/webhook.ts';
import { DOCUMENTED_SAMPLE, EXAMPLE_TOKEN, LOCAL_URL } from '../infra/local/chat.ts';
import { OPTIONS } from '../infra/settings.ts';
import { COMMANDS, PROFILE_ATTRIBUTES } from '../lambda/commands/index.ts';
import { CHAT_TIMEOUT_MS, MAX_ATTEMPTS, QUEUE_LIMITS, STORE_LIMITS, TOKEN_LIMITS } from '../lambda/limits.ts';
import schema from '../lambda/commands/official-account-created.schema.json' with { type: 'json' };
import { mergeNewestEvent } from '../lambda/official-account.ts';
import { OUTCOMES, FORWARD_FAILURES, REASONS } from '../lambda/outcomes.ts';
import { COMMON_ATTRIBUTES, eventIn } from './account-events.ts';
import { ALL_PARTS, readTemplate } from './deployment.ts';
import { eventProblems } from './event-problems.ts';
import { SAMPLES } from './delivery.ts';
import { ROOT } from './program.ts';

const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const PATHS = globSync(['**/README.md', '.github/*.md'], {
  cwd: ROOT,
  exclude: ['node_modules', 'cdk.out'],
}).toSorted();
const [root, lambda, infra] = ['README.md', 'lambda/README.md', 'infra/README.md'].map(read) as [
  string,
  string,
  string,
];
const all = PATHS.map(read).join('\n');
const template = readTemplate(ALL_PARTS);
/** Returns resources with their construct IDs. CDK adds eight characters to an ID. */
const resources = (type: string) =>
  Object.entries(template.Resources).flatMap(([id, { Type, Properties }]) =>
    Type === type ? [[id.slice(0, -8), Properties] as const] : [],
  );

const withoutCode = (markdown: string) => markdown.replaceAll(/^ *```[^]*?^ *```$/gm, '');
const cells = (row: string) =>
  row
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim());
const plain = (markdown: string) => markdown.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1').replaceAll('`', '');

/** Returns the rows of the table with this heading, without links and code marks. */
function table(markdown: string, firstHeading: string): string[][] {
  const lines = markdown.split('\n');
  const start = lines.findIndex((line) => plain(line).startsWith(`| ${firstHeading} `));
  expect(start).toBeGreaterThan(0);
  const body = lines.slice(start + 2);
  return body.slice(0, body.indexOf('')).map((line) => cells(line).map(plain));
}

/** Returns GitHub's anchors of a page's headings. */
function anchors(markdown: string): string[] {
  return [...withoutCode(markdown).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    plain(heading)
      .toLowerCase()
      .replaceAll(/[^\w\s-]/g, '')
      .replaceAll(' ', '-'),
  );
}

describe.each([...PATHS, 'infra/API.md'])('%s', (path) => {
  const markdown = read(path);

  test('links only to existing files and headings', () => {
    const targets = [...withoutCode(markdown).matchAll(/\]\(([^)]*)\)/g)].map(([, target = '']) => target);
    expect(targets.length).toBeGreaterThan(0);
    const broken = targets.filter((target) => {
      if (target.startsWith('https://')) return false;
      const [to = '', anchor] = target.split('#');
      const file = to === '' ? join(ROOT, path) : join(ROOT, path, '..', to);
      if (!existsSync(file) || relative(ROOT, file).startsWith('..')) return true;
      if (anchor === undefined) return false;
      return statSync(file).isDirectory() || !anchors(readFileSync(file, 'utf8')).includes(anchor);
    });
    expect(broken).toEqual([]);
  });
});

test('the table of replies to forwarded deliveries has every failure', () => {
  const rows = Object.entries(FORWARD_FAILURES).map(([failure, { errorCode, status, errorInfo }]) => [
    String(errorCode),
    String(status),
    failure,
    errorInfo,
  ]);
  expect(table(lambda.slice(lambda.indexOf('With [`forwardUrl`]')), 'ErrorCode')).toEqual(rows);
});

test('the table of replies has every reason, in the order of the checks', () => {
  expect(table(lambda, 'ErrorCode')).toEqual(
    Object.entries(REASONS).map(([reason, { errorCode, status, errorInfo, isDeadLettered }]) => [
      String(errorCode),
      String(status),
      reason,
      errorInfo,
      isDeadLettered ? 'yes' : 'no',
    ]),
  );
  // The explanations below the table.
  const explained = [...lambda.matchAll(/^- \*\*(\d+)\*\*: /gm)].map(([, code]) => Number(code));
  expect(explained).toEqual(Object.values(REASONS).map(({ errorCode }) => errorCode));
});

test('the table of the log has every outcome', () => {
  const outcomes = table(lambda, 'outcome').map(([outcome]) => outcome);
  expect(outcomes.toSorted()).toEqual(Object.keys(OUTCOMES).toSorted());
});

test('the configuration table has every option', () => {
  expect(table(root, 'option').map(([name]) => name)).toEqual(OPTIONS);
});

test('the README names all props that only a host app can give, and no prop, property or method that does not exist', () => {
  const [, section = ''] = /^## As a construct\n([^]*?)^## /m.exec(root) ?? [];
  const source = read('infra/webhook.ts');
  const members = (start: string) =>
    [...(source.split(start)[1]?.split(/^(?:}|.* constructor)/m)[0] ?? '').matchAll(/^ {2}readonly (\w+)\??:/gm)].map(
      ([, name = '']) => name,
    );
  const [hostProps, properties] = [members('export interface HostProps '), members('export class TencentChatWebhook ')];
  const named = [...withoutCode(section).matchAll(/`([a-z]\w*)`/gi)].map(([, name = '']) => name);
  expect(named).toEqual(expect.arrayContaining([...hostProps, 'url', 'token', 'onEvent']));
  const inCode = [...section.matchAll(/(?<!\/)webhook\.(\w+)/g)].map(([, name = '']) => name);
  const methods = [...source.matchAll(/^ {2}(?!constructor)(\w+)\(/gm)].map(([, name = '']) => name);
  const known = new Set([...OPTIONS, ...hostProps, ...properties, ...methods, 'constructs']);
  expect([...named, ...inCode].filter((name) => !known.has(name))).toEqual([]);
  expect(section).toContain(`from '${packageJson.name}'`);
});

test('the table of the record has every attribute that is written', () => {
  const events = [...COMMANDS.values()].map((command) =>
    eventIn(command, (event) => (event.body = SAMPLES.get(command.name))),
  );
  const written = new Set([...COMMON_ATTRIBUTES, ...events.flatMap((event) => Object.keys(mergeNewestEvent(event)))]);
  for (const name of PROFILE_ATTRIBUTES) expect(written.delete(`${name}Time`)).toBe(true);
  const shown = table(lambda, 'attribute').map(([name]) => name);
  expect(shown.toSorted()).toEqual([...written, 'nameTime etc.'].toSorted()); // one row for all times of the profile
});

test('the table of commands has every command, with its optional fields', () => {
  const shown = table(lambda, 'command, after OfficialAccount.').map(([command, , fields]) => [command, fields]);
  const expected = [...COMMANDS.values()].map(({ name, attributes }) => {
    const optional = Object.values(attributes).flatMap(({ wireName, isOptional }) => (isOptional ? [wireName] : []));
    return [name.replace('OfficialAccount.', ''), optional.join(', ') || 'none'];
  });
  expect(shown.toSorted()).toEqual(expected.toSorted());
});

describe('each alarm', () => {
  const [, page = ''] = /^## The alarms\n([^]*?)^## /m.exec(infra) ?? [];
  const runbooks = page.split(/^### /m).slice(1);
  const alarms = resources('AWS::CloudWatch::Alarm');

  test('has a runbook of three parts, which its description names', () => {
    const parts = runbooks.map((text) => text.match(/(?<=^- \*\*)[^*]+(?=:\*\*)/gm));
    expect(parts).toEqual(alarms.map(() => ['What it means', 'How to investigate', 'How to resolve']));
    expect(runbooks.map((text) => text.split('\n')[0])).toEqual(alarms.map(([id]) => `\`${id}\``));
    for (const [id, { AlarmDescription }] of alarms) {
      expect(AlarmDescription).toContain(`infra/README.md, section ${id}.`);
    }
  });

  test('is listed under its urgency', () => {
    const listed = [...page.matchAll(/^- \*\*Act (.*)\*\*: (.*)$/gm)].flatMap(([, urgency, names = '']) =>
      plain(names)
        .split(', ')
        .map((name) => [name, urgency]),
    );
    expect(listed).toEqual(Object.entries(ADVICE).map(([name, { urgency }]) => [name, urgency]));
  });
});

test('the table of widgets has every widget of the dashboard, in its order', () => {
  const [[, dashboard] = ['', { DashboardBody: '' }]] = resources('AWS::CloudWatch::Dashboard');
  const titles = [...JSON.stringify(dashboard.DashboardBody).matchAll(/\\"title\\":\\"([^:"\\]*)/g)];
  const names = titles.map(([, title = '']) =>
    title.replace('’', "'").replace(/, (?:ms|and the longest init, ms)$/, ''),
  );
  expect(table(infra, 'widget').map(([name]) => name)).toEqual(names);
});

test('the pages name only existing outputs and log groups, and the correct limits', () => {
  const outputs = Object.keys(template.Outputs);
  const named = [...all.matchAll(/`((?!Callback|FaceUrl)[A-Z]\w+(?:Url|Name|Command|Arn|Target))`/g)].map(
    ([, name]) => name,
  );
  expect(new Set(named).size).toBeGreaterThan(8);
  expect(named.filter((name) => !outputs.includes(name ?? ''))).toEqual([]);

  const logs = resources('AWS::Logs::LogGroup').map(([id]) => id);
  const namedLogs = [...infra.matchAll(/`([A-Z]\w+Log)`/g)].map(([, name]) => name);
  expect([...new Set(namedLogs)].toSorted()).toEqual(logs.toSorted());

  expect(infra).toContain(` ${STORE_LIMITS.totalMs / 1000} s `);
  expect(infra).toContain(` ${(STORE_LIMITS.totalMs + QUEUE_LIMITS.totalMs) / 1000} s,`);
  // A delivery calls Secrets Manager, DynamoDB and SQS one after another.
  const atMostMs = [TOKEN_LIMITS, STORE_LIMITS, QUEUE_LIMITS].reduce((sum, { totalMs }) => sum + totalMs, 0);
  expect(atMostMs).toBe(1_900);
  expect(atMostMs).toBeLessThan(CHAT_TIMEOUT_MS);
  // The pauses between ten attempts: one minute, two, four and so on.
  expect((2 ** (MAX_ATTEMPTS - 1) - 1) / 60).toBeCloseTo(8.5, 1);
  expect(infra).toContain('eight and a half hours');
});

test('the example of an event is valid, and the example of a rule matches it', () => {
  const [, json = ''] = /```json\n(\{\n {2}"version": "0"[\s\S]*?)```/.exec(lambda) ?? [];
  const event = JSON.parse(json);
  expect(eventProblems(event.detail)).toEqual([]);
  expect([event.source, event['detail-type']]).toEqual([EVENT_SOURCE, schema.title]);
  expect(lambda).toContain(`source: ['${EVENT_SOURCE}']`);
  expect(lambda).toContain(`detailType: ['${schema.title}']`);
});

test('the table of events has every event, in the order of the commands, with its schema', () => {
  const shown = table(lambda, 'detail type').map(([type, , link]) => [type, link]);
  const events = [...COMMANDS.values()].flatMap(({ event }) =>
    event === undefined ? [] : [[event.schema.title, event.schema.$id]],
  );
  expect(shown).toEqual(events);
  for (const [title = '', file = ''] of events) {
    expect(file).toBe(`${title.toLowerCase().replaceAll(' ', '-')}.schema.json`);
    expect(existsSync(join(ROOT, 'lambda/commands', file))).toBe(true);
  }
});

test('every npm script in the pages exists', () => {
  const named = [...all.matchAll(/npm (?:run ([\w:-]+)|(start|test)\b)/g)].map(([, run, short]) => run ?? short);
  expect(new Set(named).size).toBeGreaterThan(3);
  for (const name of named) expect(Object.keys(packageJson.scripts)).toContain(name);
});

test('every cdk command in the pages has the required option', () => {
  const commands = all.match(/npx cdk [^`\n]*/g) ?? [];
  expect(commands.length).toBeGreaterThanOrEqual(5);
  for (const command of commands) expect(command).toContain('-c sdkAppId=1400000000');
});

test('the curl command sends the documented sample to the local receiver', () => {
  expect(lambda).toContain(`--data '${JSON.stringify(DOCUMENTED_SAMPLE)}'`);
  expect(lambda).toContain(`curl "${LOCAL_URL}?SdkAppid=1400000000`);
  expect(lambda).toContain(`printf %s "${EXAMPLE_TOKEN}$TIME"`);
});
