import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { webhookApp } from '../../infra/app.ts';
import packageJson from '../../package.json' with { type: 'json' };
import { featureFlags } from '../../infra/local/synthesize.ts';
import { ROOT } from '../program.ts';
import { slowed } from '../time.ts';
import { findingsIn, NOTHING } from './nag.ts';

const SDK_APP_ID = '1400000000';

/** Code of a CDK app with the construct in a stack, and with both packs of cdk-nag. */
const APP = `
const app = new App({ outdir: process.argv[2] });
const stack = new Stack(app, 'Host');
const { url, eventBus } = new TencentChatWebhook(stack, 'Webhook', { sdkAppId: '${SDK_APP_ID}', silenceHours: 24 });
new CfnOutput(stack, 'Url', { value: url });
new CfnOutput(stack, 'Bus', { value: eventBus.eventBusName, description: EVENT_SOURCE });
Validations.of(app).addPlugins(new AwsSolutionsChecks(app), new ServerlessChecks(app));
app.synth();
`;
const IMPORTS = [
  ['{ App, CfnOutput, Stack, Validations }', 'aws-cdk-lib'],
  ['{ AwsSolutionsChecks, ServerlessChecks }', 'cdk-nag'],
  ['{ EVENT_SOURCE, TencentChatWebhook }', packageJson.name],
];

const folder = mkdtempSync(join(tmpdir(), 'package-'));
/** Many people and companies turn the lifecycle scripts of npm off. */
const NO_SCRIPTS = { npm_config_ignore_scripts: 'true' };
const [host, here] = [join(folder, 'host'), join(folder, 'here')];
const run = (command: string, args: readonly string[], cwd: string, extra: Record<string, string> = {}) => {
  // npm passes its own settings to child processes.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('npm_')));
  return promisify(execFile)(command, args, { cwd, env: { ...env, ...extra } });
};

beforeAll(async () => {
  mkdirSync(join(folder, 'package'));
  writeFileSync(join(folder, 'package/stale.js'), ''); // of an earlier build
  await run('npm', ['run', 'package', '--', '--to', folder], ROOT, NO_SCRIPTS);
  mkdirSync(join(host, 'node_modules'), { recursive: true });
  writeFileSync(join(host, 'package.json'), '{ "private": true }');
  const tarball = `${packageJson.name}-${packageJson.version}.tgz`;
  // Without peer dependencies, which npm would download. Only these are linked.
  await run('npm', ['install', '--silent', '--offline', '--legacy-peer-deps', join(folder, tarball)], host);
  for (const name of ['aws-cdk-lib', 'constructs', 'cdk-nag']) {
    symlinkSync(join(ROOT, 'node_modules', name), join(host, 'node_modules', name));
  }
  webhookApp({ outdir: here, context: { ...featureFlags(), sdkAppId: SDK_APP_ID } }).app.synth();
}, slowed(120_000));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Returns the digest of each file of each function's bundle. */
function bundles(outdir: string, templateFile: string): Record<string, Record<string, string>> {
  const { Resources } = JSON.parse(readFileSync(join(outdir, templateFile), 'utf8'));
  const functions = Object.entries<any>(Resources).filter(([, { Type }]) => Type === 'AWS::Lambda::Function');
  return Object.fromEntries(
    functions.map(([logicalId, { Properties }]) => {
      const asset = join(outdir, `asset.${Properties.Code.S3Key.replace('.zip', '')}`);
      const digests = readdirSync(asset).map((name) => [
        name,
        createHash('sha256')
          .update(readFileSync(join(asset, name)))
          .digest('hex'),
      ]);
      return [logicalId.slice(0, -8).replace('Webhook', ''), Object.fromEntries(digests)];
    }),
  );
}

const installed = join(host, 'node_modules', packageJson.name);
const read = (name: string) => readFileSync(join(installed, name), 'utf8');

test('the tarball contains the construct, its types, the bundles and the pages, and installs no other package', () => {
  const files = readdirSync(installed, { recursive: true, withFileTypes: true }).filter((file) => file.isFile());
  const names = files.map(({ parentPath, name }) => relative(installed, join(parentPath, name)));
  expect(names.toSorted()).toEqual([
    'API.md',
    'LICENSE',
    'README.md',
    'THIRD-PARTY-NOTICES.txt',
    'bundle/probe/index.mjs',
    'bundle/publisher/index.mjs',
    'bundle/publisher/unpublished-queue.mjs',
    'bundle/receiver/delivery-queues.mjs',
    'bundle/receiver/forward.mjs',
    'bundle/receiver/index.mjs',
    'bundle/redrive/index.mjs',
    'delivery-outcomes.d.ts',
    'package.json',
    'queues.d.ts',
    'settings.d.ts',
    'webhook.d.ts',
    'webhook.js',
  ]);
  expect(readdirSync(join(host, 'node_modules')).filter((name) => !name.startsWith('.'))).toEqual(
    ['aws-cdk-lib', 'cdk-nag', 'constructs', packageJson.name].toSorted(),
  );
});

test('its package.json is that of the repository, without what only the repository needs', () => {
  const { name, version, description, keywords, license, engines, peerDependencies } = packageJson;
  const { main, types, exports, ...others } = JSON.parse(read('package.json'));
  expect(others).toEqual({ name, version, description, keywords, license, engines, peerDependencies });
  expect(existsSync(join(installed, main)) && existsSync(join(installed, types))).toBe(true);
  expect(exports['.']).toEqual({ types, default: main });
});

test('the repository itself cannot be packed or published, even without lifecycle scripts', async () => {
  const error = await run('npm', ['pack'], ROOT, NO_SCRIPTS).catch(({ stderr }) => stderr);
  expect(error).toMatch(/ENOENT.*run-npm-run-package-instead/);
  expect(packageJson.private).toBe(true); // npm checks it itself
});

test('the notices name the packages in the bundles, each with its licence', () => {
  const notices = read('THIRD-PARTY-NOTICES.txt');
  const bundled = ['@aws-lambda-powertools/logger', '@aws-sdk/client-sqs', '@middy/core', '@smithy/core', 'valibot'];
  for (const name of bundled) {
    const { version, license } = JSON.parse(readFileSync(join(ROOT, 'node_modules', name, 'package.json'), 'utf8'));
    expect(notices).toContain(`\n${name} ${version} (${license})\n`);
  }
  expect(notices.match(/TERMS AND CONDITIONS FOR USE, REPRODUCTION, AND DISTRIBUTION/g)?.length).toBeGreaterThan(0);
  expect(notices).not.toMatch(/^esbuild |^aws-cdk-lib /m); // not in a bundle
});

test.each(['README.md', 'API.md'])('each link in %s leads to a file of the package, or to the web', (page) => {
  const targets = [...read(page).matchAll(/\]\(([^)#]+)[^)]*\)/g)].map(([, target = '']) => target);
  expect(targets.length).toBeGreaterThan(0);
  expect(targets.filter((target) => !target.startsWith('https://') && !existsSync(join(installed, target)))).toEqual(
    [],
  );
});

test.each([
  ['a CommonJS app', 'app.cjs', IMPORTS.map(([names, from]) => `const ${names} = require('${from}');`)],
  ['an app of ES modules', 'app.mjs', IMPORTS.map(([names, from]) => `import ${names} from '${from}';`)],
])('%s synthesizes the same bundles as this project, and cdk-nag finds nothing', async (_what, file, imports) => {
  const there = join(folder, `${file}.out`);
  writeFileSync(join(host, file), imports.join('\n') + APP);
  await run(process.execPath, [file, there], host);
  const expected = bundles(here, 'TencentChatWebhook.template.json');
  expect(Object.keys(expected)).toEqual(['Receiver', 'Redrive', 'Publisher']);
  expect(bundles(there, 'Host.template.json')).toEqual(expected);
  expect(findingsIn(there)).toEqual(NOTHING);
});

test('a TypeScript app has the types of the props and of the resources', async () => {
  const lines = [
    `import { Stack } from 'aws-cdk-lib';`,
    `import { TencentChatWebhook } from '${packageJson.name}';`,
    `const stack = new Stack();`,
    `const webhook = new TencentChatWebhook(stack, 'A', { sdkAppId: '1', allowedCidrs: ['10.0.0.0/8'] });`,
    `export const texts: string[] = [webhook.url, webhook.queues.parked.queueUrl, webhook.alarmTopic.topicArn];`,
    `// @ts-expect-error: a number is no SDKAppID`,
    `new TencentChatWebhook(stack, 'B', { sdkAppId: 1 });`,
    `// @ts-expect-error: the SDKAppID is required`,
    `new TencentChatWebhook(stack, 'C', {});`,
    `// @ts-expect-error: a misspelt prop`,
    `new TencentChatWebhook(stack, 'D', { sdkAppId: '1', allowedCIDRs: [] });`,
    `// @ts-expect-error: no such kind of authentication`,
    `new TencentChatWebhook(stack, 'E', { sdkAppId: '1', authentication: 'none' });`,
  ];
  writeFileSync(join(host, 'app.cts'), lines.join('\n'));
  writeFileSync(join(host, 'app.mts'), lines.join('\n'));
  const options = '--noEmit --strict --skipLibCheck --module node20 --target es2022 --types node';
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
  const args = [tsc, ...options.split(' '), '--typeRoots', join(ROOT, 'node_modules/@types'), 'app.cts', 'app.mts'];
  const { stdout } = await run(process.execPath, args, host).catch((error: { stdout: string }) => error);
  expect(stdout).toBe('');
});
