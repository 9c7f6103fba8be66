import { execFileSync, execSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import packageJson from '../package.json' with { type: 'json' };
import { bundle, packageFolders } from './bundle.ts';
import { createProgram, run, userPath } from './cli/command-line.ts';
import { ENTRIES } from './functions.ts';
import { thirdPartyNotices } from './third-party-notices.ts';

const ROOT = join(import.meta.dirname, '..');
const MAIN = 'webhook';

/** The pages in the package, by their path in this repository. */
const PAGES: Readonly<Record<string, string>> = {
  'README.md': 'README.md',
  'infra/API.md': 'API.md',
  LICENSE: 'LICENSE',
};

export const packageProgram = () =>
  createProgram(
    'npm run package --',
    'Builds the npm package and packs it: the construct as CommonJS, its types, and the bundles of the functions. So a CDK ' +
      'app with the construct needs neither TypeScript nor esbuild.',
  )
    .option(
      '--to <folder>',
      'where the tarball goes; the folder package in it is replaced',
      userPath,
      join(ROOT, 'dist'),
    )
    .action(async ({ to }) => {
      // Of a folder that nothing else writes, and without lifecycle scripts: npm can be set to ignore them.
      const folder = join(to, 'package');
      rmSync(folder, { recursive: true, force: true });
      await writePackage(folder);
      const pack = ['pack', folder, '--ignore-scripts', '--silent', '--pack-destination', to];
      console.log(join(to, npm(pack).trim()));
    });

async function writePackage(folder: string): Promise<void> {
  const packages = new Set<string>();
  for (const entry of ENTRIES) {
    const bundles = await bundle(join(ROOT, 'lambda', `${entry}.ts`), join(folder, 'bundle', entry));
    for (const name of Object.values(bundles).flat()) packages.add(name);
  }

  // CommonJS, because host apps test their stacks with jest, which can't require an ES module. ES modules can import CommonJS.
  const { metafile } = await build({
    entryPoints: [join(ROOT, 'infra', `${MAIN}.ts`)],
    outfile: join(folder, `${MAIN}.js`),
    bundle: true,
    platform: 'node',
    target: 'node20', // the oldest version that aws-cdk-lib supports
    format: 'cjs',
    packages: 'external',
    define: { 'import.meta.dirname': '__dirname' },
    metafile: true,
    logLevel: 'warning',
  });
  for (const name of packageFolders(metafile)) packages.add(name);
  writeFileSync(join(folder, 'THIRD-PARTY-NOTICES.txt'), thirdPartyNotices(packages));
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(manifest(), null, 2)}\n`);
  for (const [path, target] of Object.entries(PAGES)) {
    if (path.endsWith('.md')) writeFileSync(join(folder, target), packagedPage(path));
    else copyFileSync(join(ROOT, path), join(folder, target));
  }
  writeDeclarations(folder);
}

/**
 * The package.json of the package. That of the repository is private, so that nobody publishes the repository by mistake.
 */
function manifest(): object {
  const { name, version, description, keywords, license, engines, peerDependencies } = packageJson;
  const [main, types] = [`./${MAIN}.js`, `./${MAIN}.d.ts`];
  const exports = { '.': { types, default: main }, './package.json': './package.json' };
  return { name, version, description, keywords, license, main, types, exports, engines, peerDependencies };
}

/** Returns a page of the package. A link to a file that the package does not contain becomes plain text. */
function packagedPage(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8').replaceAll(
    /!?\[((?:[^[\]]|\[[^\]]*\])*)\]\((?!https:|#)([^)#]+)(#[^)]*)?\)/g,
    (link, text: string, target: string, anchor = '') => {
      const page = PAGES[join(path, '..', target).replaceAll('\\', '/')];
      if (page === undefined) return link.startsWith('!') ? '' : text;
      return `[${text}](${page}${anchor})`;
    },
  );
}

function writeDeclarations(folder: string): void {
  const declarations = mkdtempSync(join(tmpdir(), 'declarations-'));
  try {
    // Only the construct, because reading the whole project takes several times as long.
    const compilerOptions = {
      noEmit: false,
      declaration: true,
      emitDeclarationOnly: true,
      rewriteRelativeImportExtensions: true,
      rootDir: ROOT,
      outDir: declarations,
      typeRoots: [join(ROOT, 'node_modules/@types')],
    };
    const files = [join(ROOT, 'infra', `${MAIN}.ts`)];
    const config = join(declarations, 'tsconfig.json');
    writeFileSync(
      config,
      JSON.stringify({ extends: join(ROOT, 'tsconfig.json'), files, include: [], compilerOptions }),
    );
    const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
    execFileSync(process.execPath, [tsc, '--project', config], { stdio: 'inherit' });
    copyDeclarations(MAIN, declarations, folder, new Set());
  } finally {
    rmSync(declarations, { recursive: true });
  }
}

/** Copies the types of a module in infra/ and of its imports. Rewrites the imports for older versions of TypeScript. */
function copyDeclarations(stem: string, from: string, to: string, copied: Set<string>): void {
  if (copied.has(stem)) return;
  copied.add(stem);
  const text = readFileSync(join(from, 'infra', `${stem}.d.ts`), 'utf8').replaceAll(
    /(?<=from '\.\/)([\w-]+)\.ts(?=')/g,
    (_match, imported: string) => {
      copyDeclarations(imported, from, to, copied);
      return `${imported}.js`;
    },
  );
  mkdirSync(to, { recursive: true });
  writeFileSync(join(to, `${stem}.d.ts`), text);
}

/** Runs npm. Its settings in the environment are left out: npm hands its own down to what it runs. */
function npm(args: readonly string[]): string {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name)));
  const options = { cwd: ROOT, env, encoding: 'utf8' } as const;
  if (process.platform !== 'win32') return execFileSync('npm', args, options);
  // On Windows, npm is a .cmd file, which needs a shell.
  return execSync(['npm', ...args.map((arg) => `"${arg}"`)].join(' '), options);
}

if (import.meta.main) await run(packageProgram());
