import { statSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { synthesize } from '../../infra/local/synthesize.ts';
import event from './event.json' with { type: 'json' };
import { NAMES, type ContestantName } from './result.ts';

export interface Contestant {
  name: ContestantName;
  /** Path of the entry. */
  file: string;
  handlerName: string;
  environment: Readonly<Record<string, string>>;
  /** Size of the entry, which each cold start loads. */
  entryBytes: number;
}

/** Bundles OURS as `cdk deploy` does, and the others with esbuild's defaults. */
export async function bundleContestants(directory: string) {
  const { receiver, receiverMemoryMb, dispose } = await synthesize({ sdkAppId: event.queryStringParameters.SdkAppid });
  const contestants: Partial<Record<ContestantName, Contestant>> = {};
  for (const name of NAMES) {
    const { environment, ...ours } = receiver;
    const { file, handlerName } =
      name === 'ours' ? ours : { file: await bundle(name, directory), handlerName: 'handler' };
    contestants[name] = { name, file, handlerName, environment, entryBytes: statSync(file).size };
  }
  return { contestants: contestants as Record<ContestantName, Contestant>, memoryMb: receiverMemoryMb, dispose };
}

/** Bundles a function with esbuild's defaults. @returns its path. */
export async function bundle(name: string, directory: string): Promise<string> {
  const entry = join(import.meta.dirname, 'contestants', `${name}.ts`);
  const outfile = join(directory, name, 'index.cjs');
  await build({ entryPoints: [entry], outfile, bundle: true, minify: true, platform: 'node', target: 'node24' });
  return outfile;
}
