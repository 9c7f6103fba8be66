import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { build } from 'esbuild';
import { synthesize, type Deployment } from '../../infra/local/deployment.ts';

let deployment: Deployment;
/** Every file that is deployed, by its function's name. */
let files: Record<string, string[]>;
beforeAll(() => {
  deployment = synthesize({ sdkAppId: '1400000000' });
  files = Object.fromEntries(
    [deployment.receiver, ...deployment.consumers.map(({ consumer }) => consumer)].map(({ file }, index) => [
      ['receiver', 'redrive'][index],
      readdirSync(dirname(file)).map((name) => join(dirname(file), name)),
    ]),
  );
});
afterAll(() => deployment.dispose());

const namesOf = (paths: readonly string[] = []) => paths.map((path) => path.slice(dirname(path).length + 1));

test('the receiver has the SQS client in a bundle of its own, and the redrive is one bundle', () => {
  expect(namesOf(files['receiver'])).toEqual(['index.mjs', 'parking.mjs']);
  expect(namesOf(files['redrive'])).toEqual(['index.mjs']);
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
    expect(readFileSync(file, 'utf8')).toContain('process.getBuiltinModule("node:http');
    imports[file] = Object.values(metafile.inputs).flatMap((input) =>
      input.imports.map(({ kind, path }) => `${kind} ${path}`),
    );
  }
  expect(Object.values(imports).toSorted((a, b) => b.length - a.length)).toEqual([
    ['dynamic-import ./parking.mjs'],
    [],
    [],
  ]);
});

test('a bundle has no source map, which would cost a quarter', () => {
  for (const file of Object.values(files).flat()) expect(readFileSync(file, 'utf8')).not.toContain('sourceMappingURL');
});

test('two syntheses give the same template and the same bundles, whose hashes stand in their paths', () => {
  const again = synthesize({ sdkAppId: '1400000000' });
  const shape = (of: Deployment) => JSON.stringify(of).replaceAll(/\/[^"]*tencent-chat-webhook-\w+/g, '');
  expect(shape(deployment)).toMatch(/"\/asset\.[\da-f]{64}\/index\.mjs"/);
  expect(shape(again)).toEqual(shape(deployment));
  again.dispose();
});
