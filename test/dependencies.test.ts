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

test('the SDK clients are of one release, and share one copy of what they are made of', () => {
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
 * npm leaves a build that its registry lacks out of the lock file without a word, and `npm ci` on that platform then
 * installs a package without its native part. An older version whose builds are all there mends it, as an override
 * where the package is not one of ours.
 */
test('the lock file holds the builds of every package for every platform', () => {
  const missing = Object.entries(locked).flatMap(([path, { optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies).filter(
      (name) => !(`node_modules/${name}` in locked || `${path}/node_modules/${name}` in locked),
    ),
  );
  expect(missing).toEqual([]);
});
