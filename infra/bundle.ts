import { builtinModules } from 'node:module';
import { basename, join } from 'node:path';
import { build, type Plugin } from 'esbuild';

/**
 * Bundles a function's entry into `OUTDIR/index.mjs`, the bytes that Lambda runs: node infra/bundle.ts ENTRY OUTDIR
 *
 * A program of its own, since a construct can't wait and esbuild takes plugins only where it may.
 */
const [entry, outdir] = process.argv.slice(2);
if (entry === undefined || outdir === undefined) throw new Error('usage: node infra/bundle.ts ENTRY OUTDIR');

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

/** What our own code imports only when it is needed becomes a bundle of its own, beside the first. */
const lazyEntries = new Set<string>();
const lazyImports: Plugin = {
  name: 'lazy imports',
  setup({ onResolve }) {
    onResolve({ filter: /^\.\// }, ({ kind, path, resolveDir }) => {
      if (kind !== 'dynamic-import' || resolveDir.includes('node_modules')) return undefined;
      lazyEntries.add(join(resolveDir, path));
      return { path: path.replace(/\.ts$/, '.mjs'), external: true };
    });
  },
};

async function bundle(file: string, name: string): Promise<void> {
  await build({
    entryPoints: [file],
    outfile: join(outdir ?? '', `${name}.mjs`),
    bundle: true,
    minify: true,
    platform: 'node',
    target: 'node24',
    format: 'esm', // for the awaits of init
    mainFields: ['module', 'main'], // esbuild's default takes the SDK's CommonJS build, which can't be tree-shaken
    plugins: [builtins, lazyImports],
    logLevel: 'warning',
  });
}

await bundle(entry, 'index');
for (const lazyEntry of lazyEntries) await bundle(lazyEntry, basename(lazyEntry, '.ts'));
