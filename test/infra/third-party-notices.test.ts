import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { thirdPartyNotices } from '../../infra/third-party-notices.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'notices-'));
});
afterEach(() => rmSync(root, { recursive: true }));

/** Writes a package that is right in every way, but for the changes. */
function folder(name: string, manifest: object = {}, files: Record<string, string> = { LICENSE: 'Be kind.' }): string {
  const path = join(root, name);
  mkdirSync(path);
  const author = { name: 'Ada' };
  writeFileSync(
    join(path, 'package.json'),
    JSON.stringify({ name, version: '1.2.3', license: 'MIT', author, ...manifest }),
  );
  for (const [file, text] of Object.entries(files)) writeFileSync(join(path, file), text);
  return path;
}

test('packages with the same text share it', () => {
  const notices = thirdPartyNotices([folder('b'), folder('a'), folder('c', {}, { 'license.md': 'Be bold.' })]);
  expect(notices).toContain('a 1.2.3 (MIT)\nb 1.2.3 (MIT)\n\nBe kind.\n');
  expect(notices).toContain('c 1.2.3 (MIT)\n\nBe bold.\n');
});

test('a notice stands beside the licence', () => {
  const files = { LICENSE: 'Be kind.', NOTICE: 'By Ada.' };
  expect(thirdPartyNotices([folder('a', { license: 'Apache-2.0' }, files)])).toContain('Be kind.\n\nBy Ada.');
});

test.each([
  ['MIT', 'MIT License\n\nCopyright (c) Ada\n', true],
  ['MIT-0', 'MIT No Attribution\n\nCopyright (c) Ada\n', false],
])('a package with the licence %s may lack its text', (license, start, hasCondition) => {
  const notices = thirdPartyNotices([folder('a', { license }, {})]);
  expect(notices).toContain(start);
  expect(notices.includes('The above copyright notice')).toBe(hasCondition);
  expect(notices).toContain('THE SOFTWARE IS PROVIDED "AS IS"');
});

test.each([
  ['without a licence', { license: undefined }, undefined, 'its licence is missing'],
  ['with an unknown licence', { license: 'SSPL-1.0' }, undefined, 'its licence is "SSPL-1.0"'],
  ['with a choice of licences', { license: '(MIT OR GPL-3.0)' }, undefined, 'its licence is "(MIT OR GPL-3.0)"'],
  ['without the text of its licence', { license: 'ISC' }, {}, 'does not contain its text'],
])('a package %s stops the build', (_what, manifest, files, message) => {
  expect(() => thirdPartyNotices([folder('a', manifest, files)])).toThrow(message);
});
