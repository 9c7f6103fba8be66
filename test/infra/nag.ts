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
 * @returns what each of the app's validation plugins has found.
 */
export function findings(make: (outdir: string) => App): Record<string, unknown[]> {
  const outdir = mkdtempSync(join(tmpdir(), 'synth-'));
  try {
    make(outdir).synth();
    const report: Report = JSON.parse(readFileSync(join(outdir, 'validation-report.json'), 'utf8'));
    return Object.fromEntries(report.pluginReports.map(({ pluginName, violations }) => [pluginName, violations]));
  } finally {
    rmSync(outdir, { recursive: true });
  }
}

/** What is found where both of cdk-nag's packs, and CDK's own rules, find nothing. */
export const NOTHING = expect.objectContaining({ AwsSolutions: [], Serverless: [] });
