import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';

interface Package {
  version: string;
  dependencies?: Record<string, string>;
  devDependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
}
const read = (name: string) => JSON.parse(readFileSync(join(import.meta.dirname, '..', name), 'utf8'));
const { dependencies, devDependencies }: Package = read('package.json');
const locked: Record<string, Package> = read('package-lock.json').packages;

test('all SDK clients have the same version, and each of their packages is installed once', () => {
  const clients = Object.entries({ ...dependencies, ...devDependencies }).filter(([name]) =>
    name.startsWith('@aws-sdk/client-'),
  );
  expect(clients.map(([name]) => name)).toEqual([
    '@aws-sdk/client-cloudformation',
    '@aws-sdk/client-dynamodb',
    '@aws-sdk/client-eventbridge',
    '@aws-sdk/client-lambda',
    '@aws-sdk/client-secrets-manager',
    '@aws-sdk/client-sqs',
  ]);
  expect(new Set(clients.map(([, version]) => version)).size).toBe(1);
  const sdk = Object.keys(locked).filter((path) => /node_modules\/@(aws-sdk|smithy)\/[^/]+$/.test(path));
  expect(sdk.filter((path) => path.lastIndexOf('node_modules/') > 0)).toEqual([]);
});

/**
 * If the registry lacks a build, npm omits it from the lock file without a message. `npm ci` on that platform then
 * installs a package without its native part. To correct this, use an older version that has all builds. If it is not a
 * direct dependency, add an override.
 */
test('the lock file has the builds of every package for every platform', () => {
  const missing = Object.entries(locked).flatMap(([path, { optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies).filter(
      (name) => !(`node_modules/${name}` in locked || `${path}/node_modules/${name}` in locked),
    ),
  );
  expect(missing).toEqual([]);
});
