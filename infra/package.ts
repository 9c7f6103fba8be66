import { execFileSync } from 'node:child_process';
import { mkdtempSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { bundle } from './bundle.ts';
import { ENTRIES } from './functions.ts';

// Builds what the npm package holds, in dist/: the construct as CommonJS, its types, and the functions' bundles, so that
// the CDK app which embeds it needs neither TypeScript nor esbuild. A program: npm runs it before it packs.

const ROOT = join(import.meta.dirname, '..');
const DIST = join(ROOT, 'dist');
const MAIN = 'webhook';

rmSync(DIST, { recursive: true, force: true });
for (const entry of ENTRIES) await bundle(join(ROOT, 'lambda', `${entry}.ts`), join(DIST, 'bundle', entry));

// CommonJS: jest, with which hosts test their stacks, can't load an ES module from CommonJS; an ES module can import this.
await build({
  entryPoints: [join(ROOT, 'infra', `${MAIN}.ts`)],
  outfile: join(DIST, `${MAIN}.js`),
  bundle: true,
  platform: 'node',
  target: 'node20', // the oldest that aws-cdk-lib runs on
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

/** Copies the types of a module in infra/ and of those that they refer to, with imports that every TypeScript understands. */
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
