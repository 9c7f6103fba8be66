import { expect } from '@jest/globals';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { App } from 'aws-cdk-lib';

interface Report {
  pluginReports: { pluginName: string; violations: unknown[] }[];
}

/**
 * Synthesizes an app in a temporary folder, with validation, and returns the findings of each plugin.
 *
 * @param make Creates the app, which must write to the given folder.
 */
export function findings(make: (outdir: string) => App): Record<string, unknown[]> {
  const outdir = mkdtempSync(join(tmpdir(), 'synth-'));
  try {
    delete process.env['CDK_VALIDATION'];
    make(outdir).synth();
    return findingsIn(outdir);
  } finally {
    process.env['CDK_VALIDATION'] = 'false';
    rmSync(outdir, { recursive: true });
  }
}

/**
 * Returns the findings of each validation plugin.
 *
 * @param outdir The folder of the cloud assembly.
 */
export function findingsIn(outdir: string): Record<string, unknown[]> {
  const report: Report = JSON.parse(readFileSync(join(outdir, 'validation-report.json'), 'utf8'));
  return Object.fromEntries(report.pluginReports.map(({ pluginName, violations }) => [pluginName, violations]));
}

/** Matches findings without any from cdk-nag's two packs. */
export const NOTHING = expect.objectContaining({ AwsSolutions: [], Serverless: [] });
