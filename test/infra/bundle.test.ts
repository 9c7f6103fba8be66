import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { build } from 'esbuild';
import { bundle } from '../../infra/bundle.ts';
import { synthesize, type DeploymentSpec } from '../../infra/local/template.ts';
import { REPLACEMENTS, type Replacement } from '../../infra/replacements.ts';
import { ROOT } from '../program.ts';

/** What a cold start has to read: each kilobyte more costs it a thousandth. */
const BUDGET_BYTES = 240_000;

let deployment: DeploymentSpec;
/** Every file that is deployed, by its function's name. */
let files: Record<string, string[]>;
beforeAll(() => {
  deployment = synthesize({ sdkAppId: '1400000000' });
  files = Object.fromEntries(
    [
      deployment.receiver,
      ...deployment.consumers.map(({ consumer }) => consumer),
      ...deployment.pipes.map(({ enrichment }) => enrichment),
    ].map(({ file }, index) => [
      ['receiver', 'redrive', 'announce'][index],
      readdirSync(dirname(file)).map((name) => join(dirname(file), name)),
    ]),
  );
});
afterAll(() => deployment.dispose());

const namesOf = (paths: readonly string[] = []) => paths.map((path) => path.slice(dirname(path).length + 1));

test('the receiver has the SQS client in a bundle of its own, and the others are one bundle each', () => {
  expect(namesOf(files['receiver'])).toEqual(['index.mjs', 'parking.mjs']);
  for (const name of ['redrive', 'announce']) expect(namesOf(files[name])).toEqual(['index.mjs']);
  const [index = '', parking = ''] = (files['receiver'] ?? []).map((path) => readFileSync(path, 'utf8'));
  expect(index).not.toContain('SendMessage');
  expect(parking).toContain('SendMessage');
});

test('a bundle imports nothing at its start: the ES face of node:http alone would cost a fifth of the cold start', async () => {
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
    const hasClient = !(files['announce'] ?? []).includes(file);
    expect(readFileSync(file, 'utf8').includes('process.getBuiltinModule("node:http')).toBe(hasClient);
    imports[file] = Object.values(metafile.inputs).flatMap((input) =>
      input.imports.map(({ kind, path }) => `${kind} ${path}`),
    );
  }
  expect(Object.values(imports).toSorted((a, b) => b.length - a.length)).toEqual([
    ['dynamic-import ./parking.mjs'],
    [],
    [],
    [],
  ]);
});

test('a bundle has no source map, which would cost a quarter', () => {
  for (const file of Object.values(files).flat()) expect(readFileSync(file, 'utf8')).not.toContain('sourceMappingURL');
});

test('two syntheses give the same template and the same bundles, whose hashes stand in their paths', () => {
  const again = synthesize({ sdkAppId: '1400000000' });
  const shape = (of: DeploymentSpec) => JSON.stringify(of).replaceAll(/\/[^"]*tencent-chat-webhook-\w+/g, '');
  expect(shape(deployment)).toMatch(/"\/asset\.[\da-f]{64}\/index\.mjs"/);
  expect(shape(again)).toEqual(shape(deployment));
  again.dispose();
});

const ENTRY = join(import.meta.dirname, '../../lambda/receiver.ts');

describe('what a cold start loads', () => {
  const outdir = mkdtempSync(join(tmpdir(), 'bundle-test-'));
  afterAll(() => rmSync(outdir, { recursive: true }));

  test('is within its budget', () => {
    expect(statSync(deployment.receiver.file).size).toBeLessThan(BUDGET_BYTES);
  });

  test('is of these packages alone: a new one is a decision, not an accident', async () => {
    const { 'index.mjs': packages } = await bundle(ENTRY, outdir);
    expect(readFileSync(join(outdir, 'index.mjs'), 'utf8')).toBe(readFileSync(deployment.receiver.file, 'utf8'));
    expect(packages).toEqual([
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

/** Stops the clock and what is random: two programs then send the same, signatures included. */
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

  test('changes no byte of what the SDK sends, to other tables, accounts, queues and regions in turn', async () => {
    const requests = async (replacements: readonly Replacement[]) => {
      await bundle(join(import.meta.dirname, 'sdk-requests.ts'), outdir, replacements);
      const preload = `data:text/javascript,${encodeURIComponent(AT_REST)}`;
      const { stdout } = await promisify(execFile)(process.execPath, ['--import', preload, join(outdir, 'index.mjs')], {
        env: {
          AWS_ACCESS_KEY_ID: 'id',
          AWS_SECRET_ACCESS_KEY: 'secret',
          AWS_SESSION_TOKEN: 'session',
          AWS_ACCOUNT_ID: '111111111111',
        },
      });
      return JSON.parse(stdout);
    };
    const [theirs, ours] = [await requests([]), await requests(REPLACEMENTS)];
    expect(ours).toEqual(theirs);
    expect(new Set(theirs.map(({ hostname }: { hostname: string }) => hostname))).toEqual(
      new Set([
        '111111111111.ddb.eu-central-1.amazonaws.com',
        '222222222222.ddb.eu-central-1.amazonaws.com',
        'secretsmanager.eu-central-1.amazonaws.com',
        'sqs.eu-central-1.amazonaws.com',
        '111111111111.ddb.cn-north-1.amazonaws.com.cn',
        'secretsmanager.cn-north-1.amazonaws.com.cn',
        'sqs.cn-north-1.amazonaws.com.cn',
      ]),
    );
  });

  test('whose module an update has moved stops the build, and says what to look at', async () => {
    const moved = { module: /^@smithy\/core\/was-here\.js$/, reason: 'it was here', contents: () => '' };
    const build = bundle(ENTRY, outdir, [...REPLACEMENTS, moved]);
    await expect(build).rejects.toThrow(/infra\/replacements\.ts.*was-here.*it was here/s);
  });

  test('of the errors makes the same ones', async () => {
    const file = join(ROOT, 'node_modules/@aws-sdk/client-dynamodb/dist-es/models/errors.js');
    const folded = REPLACEMENTS.find(({ module }) => module.test('@aws-sdk/client-dynamodb/dist-es/models/errors.js'))!;
    const source = readFileSync(file, 'utf8');
    const load = async (contents: string): Promise<Record<string, any>> => {
      const stdin = { contents, resolveDir: dirname(file) };
      const { outputFiles } = await build({ stdin, bundle: true, write: false, format: 'cjs', platform: 'node' });
      const module = { exports: {} };
      new Function('module', 'exports', 'require', outputFiles[0]!.text)(module, module.exports, createRequire(file));
      return module.exports;
    };
    const [theirs, ours] = [await load(source), await load(folded.contents(source))];
    expect(Object.keys(ours)).toEqual(Object.keys(theirs));
    expect(Object.keys(ours).length).toBeGreaterThan(20);
    for (const [name, Theirs] of Object.entries(theirs)) {
      const options = { message: '错', $metadata: {}, Item: { id: { S: 'x' } }, CancellationReasons: [] };
      const [their, our] = [new Theirs(options), new ours[name](options)];
      expect({ ...our, message: our.message }).toEqual({ ...their, message: their.message });
      expect(our).toBeInstanceOf(ours[name]);
      expect(our).toBeInstanceOf(Error);
      expect(ours[name].shapeId).toBe(Theirs.shapeId);
    }
    expect(new ours['ReplicatedWriteConflictException']({})).toHaveProperty('$retryable'); // one of its own kind
  });

  test('of a part that an update has changed stops the build', () => {
    const ofPart = REPLACEMENTS.find(({ module }) => module.test('@smithy/core/dist-es/submodules/serde/index.js'))!;
    expect(() => ofPart.contents('export const v4 = 4;')).toThrow('does not stand there once');
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
