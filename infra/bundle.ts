import { readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, extname, join, relative, resolve } from 'node:path';
import { build, type Loader, type Metafile, type Plugin } from 'esbuild';
import { REPLACEMENTS, type Replacement } from './replacements.ts';

/**
 * Loads Node's built-in modules with `process.getBuiltinModule` instead of `import`. An import also builds the module's
 * ES namespace, and for node:http this loads all of undici: more than a fifth of a cold start.
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

/**
 * Replaces modules of npm packages.
 *
 * @param used Receives the replacements whose module was found.
 */
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
 * Gives each module that our code imports dynamically a bundle of its own, in the same folder.
 *
 * @param entry Source file of the first bundle. The names of the other bundles are relative to its folder.
 * @param files Receives the source file of each bundle, by the bundle's name.
 */
const lazyImports = (entry: string, files: Map<string, string>): Plugin => ({
  name: 'lazy imports',
  setup({ onResolve }) {
    onResolve({ filter: /^\.\.?\// }, ({ kind, path, resolveDir }) => {
      if (kind !== 'dynamic-import' || resolveDir.includes('node_modules')) return undefined;
      const file = resolve(resolveDir, path);
      // All bundles are in one folder, so the path is right in each bundle that imports the module.
      const name = relative(dirname(resolve(entry)), file)
        .replaceAll(/[\\/]/g, '-')
        .replace(/\.ts$/, '.mjs');
      if ((files.get(name) ?? file) !== file)
        throw new Error(`${file} and ${files.get(name)} would both become ${name}`);
      files.set(name, file);
      return { path: `./${name}`, external: true };
    });
  },
});

const MISSING_EXPORT_HINT =
  'If the message says that a module lacks an export, and the export is in the module’s file, then ' +
  'infra/replacements.ts replaces that module: an updated package now imports more from it.';

/**
 * Bundles a function's entry into `outdir/index.mjs`, which Lambda runs.
 *
 * @returns The folders of the npm packages in each written file, in alphabetical order.
 * @throws If a replacement does not match the installed packages.
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
      format: 'esm', // the entries use top-level await
      mainFields: ['module', 'main'], // esbuild's default is the SDK's CommonJS build, which can't be tree-shaken
      plugins: [builtins, replaced(replacements, used), lazyImports(entry, files)],
      metafile: true,
      logLevel: 'silent',
    }).catch((error: Error) => {
      throw new Error(`${error.message}\n${MISSING_EXPORT_HINT}`, { cause: error });
    });
    for (const { text, location } of warnings) console.warn(`${location?.file ?? file}: ${text}`);
    packages[name] = packageFolders(metafile);
  }

  // Functions without the DynamoDB client don't load every replaced module.
  const usesDynamoDb = Object.values(packages)
    .flat()
    .some((folder) => folder.endsWith('node_modules/@aws-sdk/client-dynamodb'));
  const unused = replacements.filter((replacement) => !used.has(replacement));
  if (usesDynamoDb && unused.length > 0) {
    const list = unused.map(({ module, reason }) => `- ${module.source}\n  (${reason})\n`).join('');
    throw new Error(
      `${entry} does not load these modules, which infra/replacements.ts replaces:\n${list}` +
        'An updated package has moved or removed them. Find the new modules in node_modules, and their size in ' +
        'esbuild’s metafile. Then correct the entry in infra/replacements.ts, or remove it.',
    );
  }
  return packages;
}

/** Returns the folders of the npm packages in a bundle, relative to the current folder and in alphabetical order. */
export function packageFolders({ outputs }: Metafile): string[] {
  const inputs = Object.values(outputs).flatMap((output) => Object.entries(output.inputs));
  const folders = inputs.flatMap(([path, { bytesInOutput }]) =>
    bytesInOutput > 0 ? (/^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path) ?? []) : [],
  );
  return [...new Set(folders)].toSorted();
}

// Also a program, because a construct can't await a bundle: node infra/bundle.ts OUTDIR ENTRY …
if (import.meta.main) {
  const [outdir, ...entries] = process.argv.slice(2);
  if (outdir === undefined) throw new Error('Usage: node infra/bundle.ts OUTDIR ENTRY …');
  const lambda = join(import.meta.dirname, '..', 'lambda');
  await Promise.all(entries.map((entry) => bundle(join(lambda, `${entry}.ts`), join(outdir, entry))));
}
