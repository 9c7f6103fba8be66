import { readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, extname, join, relative, resolve } from 'node:path';
import { build, type Loader, type Plugin } from 'esbuild';
import { REPLACEMENTS, type Replacement } from './replacements.ts';

/**
 * Takes Node's own modules from `process.getBuiltinModule` instead of importing them: an import builds the module's
 * ES face, and that of node:http loads all of undici, more than a fifth of a cold start.
 */
const builtins: Plugin = {
  name: 'builtins',
  setup({ onResolve, onLoad }) {
    const names = new Set(builtinModules);
    onResolve({ filter: /^[a-z_:/]+$/ }, ({ path }) =>
      names.has(path.replace(/^node:/, '')) ? { path, namespace: 'builtin' } : undefined,
    );
    onLoad({ filter: /.*/, namespace: 'builtin' }, ({ path }) => ({
      contents: `module.exports = process.getBuiltinModule(${JSON.stringify(path)})`,
    }));
  },
};

/** @param used takes the replacements that found their module. */
const replaced = (replacements: readonly Replacement[], used: Set<Replacement>): Plugin => ({
  name: 'replacements',
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]node_modules[\\/]/ }, ({ path }) => {
      const below = path.replaceAll('\\', '/').split('/node_modules/').at(-1) ?? '';
      const replacement = replacements.find(({ module }) => module.test(below));
      if (replacement === undefined) return undefined;
      used.add(replacement);
      return {
        contents: replacement.contents(readFileSync(path, 'utf8')),
        loader: extname(path).slice(1) as Loader,
        resolveDir: dirname(path),
      };
    });
  },
});

/**
 * Makes what our own code imports only when it is needed a bundle of its own, beside the first.
 *
 * @param entry the file of the first bundle, from whose folder the others take their names.
 * @param files takes the file of each bundle under its name.
 */
const lazyImports = (entry: string, files: Map<string, string>): Plugin => ({
  name: 'lazy imports',
  setup({ onResolve }) {
    onResolve({ filter: /^\.\.?\// }, ({ kind, path, resolveDir }) => {
      if (kind !== 'dynamic-import' || resolveDir.includes('node_modules')) return undefined;
      const file = resolve(resolveDir, path);
      // All bundles lie in one folder: then the path is right in whichever of them the import stands.
      const name = relative(dirname(resolve(entry)), file)
        .replaceAll(/[\\/]/g, '-')
        .replace(/\.ts$/, '.mjs');
      if ((files.get(name) ?? file) !== file) throw new Error(`${file} and ${files.get(name)} would both be ${name}`);
      files.set(name, file);
      return { path: `./${name}`, external: true };
    });
  },
});

const LACKING =
  'Where a module is said to lack an export that stands in its file, infra/replacements.ts replaces it: an update wants ' +
  'more of it than before.';

/**
 * Bundles a function's entry into `outdir/index.mjs`, the bytes that Lambda runs.
 *
 * @returns for each file that it wrote, the npm packages in it, in the order of the alphabet.
 * @throws where a replacement does not fit what is installed.
 */
export async function bundle(
  entry: string,
  outdir: string,
  replacements: readonly Replacement[] = REPLACEMENTS,
): Promise<Record<string, string[]>> {
  const used = new Set<Replacement>();
  const files = new Map([['index.mjs', entry]]);
  const packages: Record<string, string[]> = {};

  for (const [name, file] of files) {
    const { metafile, warnings } = await build({
      entryPoints: [file],
      outfile: join(outdir, name),
      bundle: true,
      minify: true,
      platform: 'node',
      target: 'node24',
      format: 'esm', // for the awaits of init
      mainFields: ['module', 'main'], // esbuild's default takes the SDK's CommonJS build, which can't be tree-shaken
      plugins: [builtins, replaced(replacements, used), lazyImports(entry, files)],
      metafile: true,
      logLevel: 'silent',
    }).catch((error: Error) => {
      throw new Error(`${error.message}\n${LACKING}`);
    });
    for (const { text, location } of warnings) console.warn(`${location?.file ?? file}: ${text}`);
    const inputs = Object.values(metafile.outputs).flatMap((output) => Object.entries(output.inputs));
    const names = inputs.flatMap(([path, { bytesInOutput }]) => (bytesInOutput > 0 ? packageOf(path) : []));
    packages[name] = [...new Set(names)].toSorted();
  }

  const holdsTable = Object.values(packages).flat().includes('@aws-sdk/client-dynamodb'); // else some have no place
  const idle = replacements.filter((replacement) => !used.has(replacement));
  if (holdsTable && idle.length > 0) {
    const list = idle.map(({ module, reason }) => `- ${module.source}\n  (${reason})\n`).join('');
    throw new Error(
      `${entry} loads no module of these names, which infra/replacements.ts replaces:\n${list}` +
        'An update has moved or dropped them. Look in node_modules for what does their work now, and in esbuild’s ' +
        'metafile for what that adds to the bundle; then correct the entry, or take it out.',
    );
  }
  return packages;
}

function packageOf(path: string): string[] {
  return /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.slice(1, 2) ?? [];
}

// A program as well, since a construct can't wait for a bundle: node infra/bundle.ts OUTDIR ENTRY …
if (import.meta.main) {
  const [outdir, ...entries] = process.argv.slice(2);
  if (outdir === undefined) throw new Error('usage: node infra/bundle.ts OUTDIR ENTRY …');
  const lambda = join(import.meta.dirname, '..', 'lambda');
  await Promise.all(entries.map((entry) => bundle(join(lambda, `${entry}.ts`), join(outdir, entry))));
}
