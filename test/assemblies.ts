import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

type Context = Readonly<Record<string, string>>;

/**
 * Synthesizes the stack once per test run and context. Tests must not change the result.
 *
 * @param context CDK context besides the SDKAppID, as for `cdk deploy -c`.
 * @returns The directory of the cloud assembly.
 */
export function synthesizeOnce(context: Context): string {
  const directory = join(tmpdir(), `assembly-${createHash('sha256').update(JSON.stringify(context)).digest('hex')}`);
  if (existsSync(directory)) return directory;
  // In a separate process, because loading CDK in Jest takes longer.
  const own = `${directory}-${process.pid}`;
  const program = join(import.meta.dirname, 'synthesize.ts');
  execFileSync(process.execPath, [program, own, JSON.stringify(context)], { stdio: 'inherit' });
  try {
    renameSync(own, directory);
  } catch (error) {
    if (!existsSync(directory)) throw error;
    rmSync(own, { recursive: true }); // another worker was faster
  }
  return directory;
}
