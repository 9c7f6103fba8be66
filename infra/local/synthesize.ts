import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { webhookApp } from '../app.ts';
import { LOCAL_CONTEXT, OPTIONS, SettingsError } from '../settings.ts';
import { UsageError } from '../cli/errors.ts';
import { readAssembly, readJson, type DeploymentSpec } from './template.ts';

/**
 * Synthesizes the stack in this process, into a temporary directory that is removed with the deployment.
 *
 * @param context CDK context, as for `cdk deploy -c`.
 * @throws UsageError if the context is wrong. A signal that arrived during the synthesis has been handled by then.
 */
export async function synthesize(context: Readonly<Record<string, string>>): Promise<DeploymentSpec> {
  const outdir = mkdtempSync(join(tmpdir(), 'tencent-chat-webhook-'));
  const remove = () => rmSync(outdir, { recursive: true, force: true });
  process.once('exit', remove);
  const dispose = () => {
    process.off('exit', remove);
    remove();
  };
  try {
    synthesizeTo(outdir, context);
    return readAssembly(outdir, dispose);
  } catch (error) {
    dispose();
    await nextTurn(); // Ctrl-C also ends the bundler, and the signal is handled only in the next turn
    throw error;
  }
}

/**
 * Writes the cloud assembly. It leaves out CDK's validation of the template, which takes several seconds; `cdk deploy`
 * does it.
 *
 * @throws UsageError if the context is wrong.
 */
export function synthesizeTo(outdir: string, context: Readonly<Record<string, string>>): void {
  const assetMetadata = { 'aws:cdk:enable-asset-metadata': true };
  try {
    const { app } = webhookApp({
      outdir,
      context: { ...featureFlags(), ...assetMetadata, [LOCAL_CONTEXT]: true, ...context },
      builtinCloudFormationValidation: false,
    });
    app.synth();
  } catch (error) {
    throw error instanceof SettingsError ? new UsageError(error.message, { cause: error }) : error;
  }
}

/**
 * Returns CDK's feature flags from cdk.json, which only the CDK CLI reads by itself. Leaves out the user's options.
 *
 * @throws OperationError if the file can't be read.
 */
export function featureFlags(file = join(import.meta.dirname, '../../cdk.json')): Record<string, unknown> {
  const { context } = readJson(file) as { context?: object };
  return Object.fromEntries(Object.entries(context ?? {}).filter(([name]) => !OPTIONS.includes(name)));
}
