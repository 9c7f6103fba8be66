import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Licences that allow to distribute a package with its notice. Read another one before you add it. */
const KNOWN = new Set(['0BSD', 'Apache-2.0', 'BSD-2-Clause', 'BSD-3-Clause', 'ISC', 'MIT', 'MIT-0']);

interface Package {
  name: string;
  version: string;
  license?: unknown;
  author?: string | { name: string };
}

/**
 * Returns the licences of npm packages with their texts. Packages with the same text share it.
 *
 * @param folders of the packages.
 * @throws if a package has no licence, an unknown one, or no text.
 */
export function thirdPartyNotices(folders: Iterable<string>): string {
  const packages = new Map<string, Set<string>>();
  for (const folder of folders) {
    const { title, text } = licenceOf(folder);
    packages.set(text, (packages.get(text) ?? new Set()).add(title));
  }
  const parts = Array.from(packages, ([text, titles]) => `${[...titles].toSorted().join('\n')}\n\n${text}\n`);
  return [
    "This package contains code of these npm packages, in the bundles of the Lambda functions. Each list is followed by the packages' licence.\n",
    ...parts.toSorted(),
  ].join(`\n${'='.repeat(80)}\n\n`);
}

function licenceOf(folder: string): { title: string; text: string } {
  const { name, version, license, author }: Package = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  if (typeof license !== 'string' || !KNOWN.has(license)) {
    throw new Error(
      `${name} ${version} is in a bundle, and its licence is ${JSON.stringify(license) ?? 'missing'}: read it, and add it ` +
        'to KNOWN in infra/third-party-notices.ts if the package may be distributed, or do without the package.',
    );
  }
  const files = readdirSync(folder).filter((file) => /^(licen[cs]e|copying|notice)\b/i.test(file));
  const texts = files.toSorted().map((file) => readFileSync(join(folder, file), 'utf8').trim());
  if (!files.some((file) => !/^notice/i.test(file))) {
    const holder = typeof author === 'object' ? author.name : author;
    texts.unshift(textOf(license, holder ?? `the authors of ${name}`));
  }
  return { title: `${name} ${version} (${license})`, text: texts.join('\n\n') };
}

/** Returns the text of a licence whose package does not contain it. */
function textOf(license: string, holder: string): string {
  const own = readFileSync(join(import.meta.dirname, '../LICENSE'), 'utf8').trim();
  const mit = own.replace(/^Copyright .*$/m, `Copyright (c) ${holder}`);
  if (license === 'MIT') return mit;
  // "MIT No Attribution" is MIT without the condition.
  if (license === 'MIT-0') {
    return mit.replace(/^MIT License/, 'MIT No Attribution').replace(/, subject to[^]*?Software\.\n/, '.\n');
  }
  throw new Error(
    `a package with the licence ${license} does not contain its text: add it to infra/third-party-notices.ts`,
  );
}
