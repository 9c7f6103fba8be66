import { readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { build } from 'esbuild';
import { EXAMPLE_SDK_APP_ID } from '../../infra/local/chat.ts';
import { synthesize } from '../../infra/local/synthesize.ts';

/** The functions that ours is compared with, from the one that does least to the one that does as much. */
export const OTHERS = {
  floor: 'returns a constant',
  plain: 'writes the record in the ordinary way, and does nothing else',
  same: 'has the duties of OURS, written in the ordinary way',
} as const;
export type OtherName = keyof typeof OTHERS;
export const OTHER_NAMES = Object.keys(OTHERS) as OtherName[];

export type ContestantName = OtherName | 'ours';
export const CONTESTANTS: readonly ContestantName[] = [...OTHER_NAMES, 'ours'];

/** A function to be measured. */
export interface Contestant {
  name: ContestantName;
  /** The bundle's entry. */
  file: string;
  handlerName: string;
  environment: Readonly<Record<string, string>>;
  /** What a cold start has to load: the entry, without what it loads only when it is needed. */
  entryBytes: number;
  /** All that is uploaded, before it is zipped. */
  bundleBytes: number;
}

/**
 * Bundles the functions to be measured: ours as `cdk deploy` would, the others with esbuild's defaults.
 * None needs a package that the product doesn't have, and what differs is only how it is used.
 */
export async function bundleContestants(directory: string) {
  const deployment = await synthesize({ sdkAppId: EXAMPLE_SDK_APP_ID });
  const { file, handlerName, environment } = deployment.receiver;
  const contestants: Record<ContestantName, Contestant> = {
    floor: contestant('floor', await bundle(directory, 'floor'), 'handler', {}),
    plain: contestant('plain', await bundle(directory, 'plain'), 'handler', environment),
    same: contestant('same', await bundle(directory, 'same'), 'handler', environment),
    ours: contestant('ours', file, handlerName, environment),
  };
  return { contestants, memoryMb: deployment.receiverMemoryMb, dispose: deployment.dispose };
}

async function bundle(directory: string, name: OtherName): Promise<string> {
  const outfile = join(directory, name, 'index.cjs');
  await build({
    entryPoints: [join(import.meta.dirname, 'contestants', `${name}.ts`)],
    outfile,
    bundle: true,
    minify: true,
    platform: 'node',
    target: 'node24',
    format: 'cjs',
  });
  return outfile;
}

function contestant(
  name: ContestantName,
  file: string,
  handlerName: string,
  environment: Readonly<Record<string, string>>,
): Contestant {
  const directory = dirname(file);
  const bundleBytes = readdirSync(directory).reduce((sum, entry) => sum + statSync(join(directory, entry)).size, 0);
  return { name, file, handlerName, environment, entryBytes: statSync(file).size, bundleBytes };
}
