import { execFileSync } from 'node:child_process';
import { mkdtempSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { bundle } from './bundle.ts';
import { ENTRIES } from './functions.ts';

// Builds the content of the npm package in dist/: the construct as CommonJS, its types, and the functions' bundles. So a CDK
// app that embeds the construct needs neither TypeScript nor esbuild. npm runs this program before it packs.

const ROOT = join(import.meta.dirname, '..');
const DIST = join(ROOT, 'dist');
const MAIN = 'webhook';

rmSync(DIST, { recursive: true, force: true });
for (const entry of ENTRIES) await bundle(join(ROOT, 'lambda', `${entry}.ts`), join(DIST, 'bundle', entry));

// CommonJS, because host apps test their stacks with jest, which can't require an ES module. ES modules can import CommonJS.
await build({
  entryPoints: [join(ROOT, 'infra', `${MAIN}.ts`)],
  outfile: join(DIST, `${MAIN}.js`),
  bundle: true,
  platform: 'node',
  target: 'node20', // the oldest version that aws-cdk-lib supports
  format: 'cjs',
  packages: 'external',
  define: { 'import.meta.dirname': '__dirname' },
  logLevel: 'warning',
});
writeFileSync(join(DIST, 'package.json'), '{ "type": "commonjs" }\n');

const declarations = mkdtempSync(join(tmpdir(), 'declarations-'));
try {
  const options = '--noEmit false --emitDeclarationOnly --declaration --rewriteRelativeImportExtensions --outDir';
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
  execFileSync(process.execPath, [tsc, '--project', ROOT, ...options.split(' '), declarations], { stdio: 'inherit' });
  copyDeclarations(MAIN, new Set());
} finally {
  rmSync(declarations, { recursive: true });
}

/** Copies the types of a module in infra/ and of its imports. Rewrites the imports for older versions of TypeScript. */
function copyDeclarations(stem: string, copied: Set<string>): void {
  if (copied.has(stem)) return;
  copied.add(stem);
  const text = readFileSync(join(declarations, 'infra', `${stem}.d.ts`), 'utf8').replaceAll(
    /(?<=from '\.\/)([\w-]+)\.ts(?=')/g,
    (_match, imported: string) => {
      copyDeclarations(imported, copied);
      return `${imported}.js`;
    },
  );
  mkdirSync(DIST, { recursive: true });
  writeFileSync(join(DIST, `${stem}.d.ts`), text);
}
