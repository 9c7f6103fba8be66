import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { API_PAGE, apiPage } from '../../infra/api-page.ts';
import { OPTIONS } from '../../infra/settings.ts';
import { ROOT } from '../program.ts';
import { slowed } from '../time.ts';

const page = readFileSync(API_PAGE, 'utf8');
const source = readFileSync(join(ROOT, 'infra/webhook.ts'), 'utf8');

/** The members of an exported class or interface, without the help of TypeScript. */
const members = (start: string) =>
  [...(source.split(start)[1]?.split(/^(?:}|.* constructor)/m)[0] ?? '').matchAll(/^ {2}readonly (\w+)\??:/gm)].map(
    ([, name = '']) => name,
  );

/** The entries of a section, by their names. */
function entries(section: string): Map<string, string> {
  const [, text = ''] = new RegExp(`^## \`${section}\`\n([^]*?)(?=^## |$(?![^]))`, 'm').exec(page) ?? [];
  const parts = text.split(/^### /m).slice(1);
  return new Map(parts.map((part) => [/^`(\w+)/.exec(part)?.[1] ?? '', part]));
}

test(
  'API.md says what the docstrings say: otherwise, run npm run api',
  async () => {
    expect(page).toBe(await apiPage());
  },
  slowed(60_000),
);

test('API.md has every prop, with its type, its default and a description', () => {
  const props = entries('TencentChatWebhookProps');
  const expected = [...OPTIONS.filter((name) => name !== 'stage'), ...members('export interface HostProps ')];
  expect(expected.length).toBeGreaterThan(14);
  expect([...props.keys()]).toEqual(expected);
  for (const [name, text] of props) {
    expect(text).toMatch(name === 'sdkAppId' ? /^- Required$/m : /^- Default: \S/m);
    expect(text).toMatch(/^- Type: `[^`]+`$[^]*^\w.*\.$/m);
  }
  expect(props.get('maxRequestsPerSecond')).toContain('- Default: `1000`\n');
});

test('API.md has every property, with its type and a description', () => {
  const properties = entries('TencentChatWebhook');
  expect([...properties.keys()]).toEqual(expect.arrayContaining(members('export class TencentChatWebhook ')));
  for (const [, text] of properties) expect(text).toMatch(/^- Type: `[^`]+`$[^]*^\w.*\.$|^```ts$/m);
});

test.each(['DeliveryOutcome', 'RejectionReason'])(
  'API.md has the values of the type %s, and not the members of a string',
  (name) => {
    expect(entries(name).size).toBe(0);
    expect(page).toMatch(new RegExp(`^## \`${name}\`\n\n- Type: \`'\\w+'( \\| '\\w+')+\`$`, 'm'));
  },
);
