import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { build } from 'esbuild';
import { synthesize, type Deployment } from '../../infra/local/deployment.ts';

let deployment: Deployment;
let source: string;
beforeAll(() => {
  deployment = synthesize({ sdkAppId: '1400000000' });
  source = readFileSync(deployment.receiver.file, 'utf8');
});
afterAll(() => deployment.dispose());

test('the bundle imports nothing: the ES face of node:http alone would cost a fifth of the cold start', async () => {
  const { metafile } = await build({
    entryPoints: [deployment.receiver.file],
    bundle: true,
    external: ['*'],
    platform: 'node',
    format: 'esm',
    metafile: true,
    write: false,
    logLevel: 'silent',
  });
  expect(Object.values(metafile.inputs).flatMap(({ imports }) => imports.map(({ path }) => path))).toEqual([]);
  expect(source).toContain('process.getBuiltinModule("node:http');
});

test('the bundle has no source map, which would cost a quarter', () => {
  expect(source).not.toContain('sourceMappingURL');
});

test('two syntheses give the same template and the same bundle', () => {
  const again = synthesize({ sdkAppId: '1400000000' });
  try {
    const { dispose: _, receiver, ...rest } = deployment;
    const { dispose: __, receiver: receiverAgain, ...restAgain } = again;
    expect(restAgain).toEqual(rest);
    expect(readFileSync(receiverAgain.file, 'utf8')).toBe(source);
  } finally {
    again.dispose();
  }
});
