import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { build } from 'esbuild';
import { bundle } from '../../infra/bundle.ts';
import { synthesize } from '../../infra/local/synthesize.ts';
import type { DeploymentSpec } from '../../infra/local/template.ts';
import { REPLACEMENTS, type Replacement } from '../../infra/replacements.ts';
import { ENTRY_BUDGET_BYTES } from '../bench/result.ts';
import { SDK_APP_ID } from '../delivery.ts';
import { specOf } from '../deployment.ts';

let deployment: DeploymentSpec;
/** All deployed files, by the name of their function. */
let files: Record<string, string[]>;
beforeAll(() => {
  deployment = specOf();
  files = Object.fromEntries(
    [
      deployment.receiver,
      ...deployment.consumers.map(({ consumer }) => consumer),
      ...deployment.streamMappings.map(({ consumer }) => consumer),
    ].map(({ file }, index) => [
      ['receiver', 'redrive', 'publisher'][index],
      readdirSync(dirname(file)).map((name) => join(dirname(file), name)),
    ]),
  );
});
const namesOf = (paths: readonly string[] = []) => paths.map((path) => path.slice(dirname(path).length + 1));

test('the receiver and the publisher have the SQS client in a separate bundle', () => {
  expect(namesOf(files['receiver'])).toEqual(['delivery-queues.mjs', 'forward.mjs', 'index.mjs']);
  expect(namesOf(files['publisher'])).toEqual(['index.mjs', 'unpublished-queue.mjs']);
  expect(namesOf(files['redrive'])).toEqual(['index.mjs']);
  for (const name of ['receiver', 'publisher']) {
    for (const path of files[name] ?? []) {
      expect([path, readFileSync(path, 'utf8').includes('SendMessage')]).toEqual([path, /-queues?\.mjs$/.test(path)]);
    }
  }
});

test('a bundle has no static imports: one of node:http would take a fifth of the cold start', async () => {
  const imports: Record<string, string[]> = {};
  for (const file of Object.values(files).flat()) {
    const { metafile } = await build({
      entryPoints: [file],
      bundle: true,
      external: ['*'],
      platform: 'node',
      format: 'esm',
      metafile: true,
      write: false,
      logLevel: 'silent',
    });
    expect(readFileSync(file, 'utf8')).toContain('process.getBuiltinModule("node:http');
    imports[file] = Object.values(metafile.inputs).flatMap((input) =>
      input.imports.map(({ kind, path }) => `${kind} ${path}`),
    );
  }
  expect(Object.values(imports).toSorted((a, b) => b.length - a.length)).toEqual([
    ['dynamic-import ./delivery-queues.mjs', 'dynamic-import ./forward.mjs'],
    ['dynamic-import ./unpublished-queue.mjs'],
    [],
    [],
    [],
    [],
  ]);
});

test('a bundle has no source map, which would take a quarter of the cold start', () => {
  for (const file of Object.values(files).flat()) expect(readFileSync(file, 'utf8')).not.toContain('sourceMappingURL');
});

test('two syntheses give the same template and the same bundles, with their hashes in the paths', async () => {
  const again = await synthesize({ sdkAppId: SDK_APP_ID });
  const shape = (of: DeploymentSpec) => JSON.stringify(of).replaceAll(/\/[^"]*\/(?=asset\.)/g, '/');
  expect(shape(deployment)).toMatch(/"\/asset\.[\da-f]{64}\/index\.mjs"/);
  expect(shape(again)).toEqual(shape(deployment));
  again.dispose();
});

const ENTRY = join(import.meta.dirname, '../../lambda/receiver.ts');

describe('the code that a cold start loads', () => {
  const outdir = mkdtempSync(join(tmpdir(), 'bundle-test-'));
  afterAll(() => rmSync(outdir, { recursive: true }));

  test('is smaller than its limit', () => {
    expect(statSync(deployment.receiver.file).size).toBeLessThan(ENTRY_BUDGET_BYTES);
  });

  test('comes only from these packages, so that none is added by accident', async () => {
    const { 'index.mjs': packages } = await bundle(ENTRY, outdir);
    expect(readFileSync(join(outdir, 'index.mjs'), 'utf8')).toBe(readFileSync(deployment.receiver.file, 'utf8'));
    expect(packages?.map((folder) => folder.replace('node_modules/', ''))).toEqual([
      '@aws-lambda-powertools/commons',
      '@aws-lambda-powertools/logger',
      '@aws-lambda-powertools/metrics',
      '@aws-sdk/client-dynamodb',
      '@aws-sdk/client-secrets-manager',
      '@aws-sdk/core',
      '@aws-sdk/credential-provider-env',
      '@aws-sdk/credential-provider-node', // replaced
      '@aws-sdk/dynamodb-codec',
      '@aws-sdk/endpoint-cache', // replaced
      '@aws-sdk/middleware-endpoint-discovery',
      '@aws/lambda-invoke-store',
      '@middy/core',
      '@middy/http-json-body-parser',
      '@middy/util',
      '@smithy/core',
      '@smithy/node-http-handler',
      '@smithy/signature-v4',
      '@smithy/types',
      'valibot',
    ]);
  });
});

test('a module that is imported on demand is found from every folder', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'bundle-test-'));
  const files = {
    'entry.ts': `import { inner } from './below/inner.ts';
      export const all = async () => [await import('./below/lazy.ts'), await inner()].flat().map(({ name }) => name);`,
    'below/inner.ts': `export const inner = async () => [await import('./lazy.ts'), await import('../lazy.ts')];`,
    'below/lazy.ts': `export const name = 'lazy below';`,
    'lazy.ts': `export const name = 'lazy';`,
  };
  mkdirSync(join(directory, 'below'));
  for (const [name, source] of Object.entries(files)) writeFileSync(join(directory, name), source);
  const outdir = join(directory, 'out');
  await bundle(join(directory, 'entry.ts'), outdir, []);
  const program = `console.log((await (await import(${JSON.stringify(join(outdir, 'index.mjs'))})).all()).join())`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', program]);
  expect(stdout.trim()).toBe('lazy below,lazy below,lazy');
  rmSync(directory, { recursive: true });
});

/** Stops the clock and all random numbers, so that two programs send the same requests and signatures. */
const AT_REST = `
  const Clock = Date;
  globalThis.Date = class extends Clock {
    constructor(...args) { super(...(args.length > 0 ? args : [Date.now()])); }
    static now() { return 1795305600000; }
  };
  crypto.randomUUID = process.getBuiltinModule('node:crypto').randomUUID = () => 'uuid';`;

describe('a replacement', () => {
  const outdir = mkdtempSync(join(tmpdir(), 'bundle-test-'));
  afterAll(() => rmSync(outdir, { recursive: true }));

  /** Bundles and runs a program. @returns the JSON that it prints. */
  async function outputOf(
    entry: string,
    replacements: readonly Replacement[],
    preload: string,
    env: Record<string, string>,
  ): Promise<any> {
    await bundle(entry, outdir, replacements);
    const args = ['--import', `data:text/javascript,${encodeURIComponent(preload)}`, join(outdir, 'index.mjs')];
    const { stdout } = await promisify(execFile)(process.execPath, args, { env });
    return JSON.parse(stdout);
  }

  test('changes no byte of the requests of the SDK, for several tables, accounts, queues and regions', async () => {
    const requests = (replacements: readonly Replacement[]) =>
      outputOf(join(import.meta.dirname, 'sdk-requests.ts'), replacements, AT_REST, {
        AWS_ACCESS_KEY_ID: 'id',
        AWS_SECRET_ACCESS_KEY: 'secret',
        AWS_SESSION_TOKEN: 'session',
        AWS_ACCOUNT_ID: '111111111111',
      });
    const [theirs, ours] = [await requests([]), await requests(REPLACEMENTS)];
    expect(ours).toEqual(theirs);
    expect(new Set(theirs.map(({ hostname }: { hostname: string }) => hostname))).toEqual(
      new Set([
        '111111111111.ddb.eu-central-1.amazonaws.com',
        '222222222222.ddb.eu-central-1.amazonaws.com',
        'events.eu-central-1.amazonaws.com',
        'secretsmanager.eu-central-1.amazonaws.com',
        'sqs.eu-central-1.amazonaws.com',
        '111111111111.ddb.cn-north-1.amazonaws.com.cn',
        'events.cn-north-1.amazonaws.com.cn',
        'secretsmanager.cn-north-1.amazonaws.com.cn',
        'sqs.cn-north-1.amazonaws.com.cn',
      ]),
    );
  });

  test('fails the build with an explanation if an update has moved its module', async () => {
    const moved = { module: /^@smithy\/core\/was-here\.js$/, reason: 'it was here', contents: () => '' };
    const build = bundle(ENTRY, outdir, [...REPLACEMENTS, moved]);
    await expect(build).rejects.toThrow(/infra\/replacements\.ts.*was-here.*it was here/s);
  });

  test('omits unused parts of Node: a start loads neither Web Crypto nor web streams', async () => {
    const report = `process.on('exit', () => console.log(JSON.stringify(process.moduleLoadList)))`;
    const loaded = (replacements: readonly Replacement[]): Promise<string[]> =>
      outputOf(ENTRY, replacements, report, {
        AWS_REGION: 'eu-central-1',
        AWS_ACCESS_KEY_ID: 'id',
        AWS_SECRET_ACCESS_KEY: 'secret',
        AWS_ENDPOINT_URL_DYNAMODB: 'https://127.0.0.1:1', // no server listens there
        SERVICE_NAME: 'test',
        SDK_APP_ID: '1400000000',
        TABLE_NAME: 'accounts',
        PARKING_QUEUE_URL: 'parked',
        DEAD_LETTER_QUEUE_URL: 'dead-letters',
        AUTHENTICATION: 'off',
      });
    const [theirs, ours] = [await loaded([]), await loaded(REPLACEMENTS)];
    for (const name of ['internal/crypto/webcrypto', 'internal/webstreams/readablestream']) {
      expect(theirs).toContain(`NativeModule ${name}`);
      expect(ours).not.toContain(`NativeModule ${name}`);
    }
  });

  test.each(
    REPLACEMENTS.filter(({ contents }) => contents.length === 0 && contents('').includes('export')).map(
      (r): [string, Replacement] => [r.module.source, r],
    ),
  )('that lacks what is imported from %s stops the build', async (_module, replacement) => {
    const without = { ...replacement, contents: () => 'export const another = 0;' };
    const build = bundle(ENTRY, outdir, [...REPLACEMENTS.filter((other) => other !== replacement), without]);
    await expect(build).rejects.toThrow(/No matching export .* for import.*infra\/replacements\.ts/s);
  });
});
