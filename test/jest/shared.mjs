import { globSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '../..');
export const files = (...patterns) => globSync(patterns, { cwd: ROOT }).map((path) => join(ROOT, path));

/** Configuration of all tests. */
export const SHARED = {
  rootDir: ROOT,
  extensionsToTreatAsEsm: ['.ts'],
  transform: { '\\.ts$': '<rootDir>/test/jest/strip-types.mjs' },
  modulePathIgnorePatterns: ['<rootDir>/cdk.out', '<rootDir>/dist'],
};

const START_SERVERS = files('test/lambda/{forward,forward-tls,official-accounts-table,sdk-client,token}.test.ts');

/** Tests that start no server and no other program, and synthesize nothing. */
export const UNIT_TESTS = files(
  'test/lambda/**/*.test.ts',
  'test/bench/result.test.ts',
  'test/infra/settings.test.ts',
  'test/infra/third-party-notices.test.ts',
  'test/infra/cli/terminal.test.ts',
  'test/infra/operations/user-sig.test.ts',
  'test/dependencies.test.ts',
).filter((path) => !START_SERVERS.includes(path));

/** All other tests, except those in a browser. */
export const WHOLE_TESTS = files('test/**/*.test.ts').filter(
  (path) => !UNIT_TESTS.includes(path) && !path.includes('/test/browser/'),
);
