import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

type Context = Readonly<Record<string, string>>;

/**
 * Synthesizes the stack once in a run of the tests, however many ask for it. Nobody may change what it returns.
 *
 * @param context CDK context, as `cdk deploy -c` takes it, beside the SDKAppID of the tests.
 * @returns the directory of the cloud assembly.
 */
export function synthesizeOnce(context: Context): string {
  const directory = join(tmpdir(), `assembly-${createHash('sha256').update(JSON.stringify(context)).digest('hex')}`);
  if (existsSync(directory)) return directory;
  // In a process of its own: loading CDK in Jest takes longer.
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
