import { expect } from '@jest/globals';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { App } from 'aws-cdk-lib';

interface Report {
  pluginReports: { pluginName: string; violations: unknown[] }[];
}

/**
 * Synthesizes an app in a temporary folder.
 *
 * @param make makes the app; it must write to the given folder.
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

/** What each of an app's validation plugins has found in it. @param outdir where the app was synthesized. */
export function findingsIn(outdir: string): Record<string, unknown[]> {
  const report: Report = JSON.parse(readFileSync(join(outdir, 'validation-report.json'), 'utf8'));
  return Object.fromEntries(report.pluginReports.map(({ pluginName, violations }) => [pluginName, violations]));
}

/** What is found where both of cdk-nag's packs, and CDK's own rules, find nothing. */
export const NOTHING = expect.objectContaining({ AwsSolutions: [], Serverless: [] });
