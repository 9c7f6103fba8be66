import { join } from 'node:path';
import { build } from 'esbuild';
import type { DeploymentSpec } from '../../infra/local/template.ts';
import type { ContestantName } from './result.ts';

export interface Contestant {
  name: ContestantName;
  /** Path of the entry, which each cold start loads. */
  file: string;
  handlerName: string;
  environment: Readonly<Record<string, string>>;
}

/** Bundles OURS as `cdk deploy` does, and the others with esbuild's defaults. */
export async function bundleContestants(directory: string, { receiver, receiverMemoryMb, dispose }: DeploymentSpec) {
  const { environment } = receiver;
  const contestants: Record<ContestantName, Contestant> = {
    floor: await bundle('floor', directory, environment),
    plain: await bundle('plain', directory, environment),
    same: await bundle('same', directory, environment),
    ours: { ...receiver, name: 'ours' },
  };
  return { contestants, memoryMb: receiverMemoryMb, dispose };
}

/** Bundles a function with esbuild's defaults. */
async function bundle(name: ContestantName, directory: string, environment: Contestant['environment']) {
  const entry = join(import.meta.dirname, 'contestants', `${name}.ts`);
  const file = join(directory, name, 'index.cjs');
  await build({ entryPoints: [entry], outfile: file, bundle: true, minify: true, platform: 'node', target: 'node24' });
  return { name, file, handlerName: 'handler', environment };
}
