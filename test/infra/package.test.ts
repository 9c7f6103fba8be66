import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { webhookApp } from '../../infra/app.ts';
import packageJson from '../../package.json' with { type: 'json' };
import { featureFlags } from '../../infra/local/synthesize.ts';
import { ROOT } from '../program.ts';
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
const [host, here] = [join(folder, 'host'), join(folder, 'here')];
const run = (command: string, args: readonly string[], cwd: string) => {
  // npm passes its own settings to child processes.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('npm_')));
  return promisify(execFile)(command, args, { cwd, env });
};

beforeAll(async () => {
  await run('npm', ['pack', '--silent', '--pack-destination', folder], ROOT);
  mkdirSync(join(host, 'node_modules'), { recursive: true });
  writeFileSync(join(host, 'package.json'), '{ "private": true }');
  const tarball = readdirSync(folder).find((name) => name.endsWith('.tgz')) ?? '';
  // Without peer dependencies, which npm would download. Only these are linked.
  await run('npm', ['install', '--silent', '--offline', '--legacy-peer-deps', join(folder, tarball)], host);
  for (const name of ['aws-cdk-lib', 'constructs', 'cdk-nag']) {
    symlinkSync(join(ROOT, 'node_modules', name), join(host, 'node_modules', name));
  }
  webhookApp({ outdir: here, context: { ...featureFlags(), sdkAppId: SDK_APP_ID } }).app.synth();
}, 120_000);
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

test('the tarball contains the construct, its types and the bundles, and installs no other package', () => {
  const installed = join(host, 'node_modules', packageJson.name);
  expect(readdirSync(installed).toSorted()).toEqual(['LICENSE', 'README.md', 'dist', 'package.json']);
  const dist = readdirSync(join(installed, 'dist'), { recursive: true, encoding: 'utf8' });
  expect(dist.filter((name) => /\.(m?[jt]s)$/.test(name)).toSorted()).toEqual([
    'bundle/probe/index.mjs',
    'bundle/publisher/index.mjs',
    'bundle/publisher/unpublished-queue.mjs',
    'bundle/receiver/delivery-queues.mjs',
    'bundle/receiver/forward.mjs',
    'bundle/receiver/index.mjs',
    'bundle/redrive/index.mjs',
    'queues.d.ts',
    'settings.d.ts',
    'webhook.d.ts',
    'webhook.js',
  ]);
  expect(readdirSync(join(host, 'node_modules')).filter((name) => !name.startsWith('.'))).toEqual(
    ['aws-cdk-lib', 'cdk-nag', 'constructs', packageJson.name].toSorted(),
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
