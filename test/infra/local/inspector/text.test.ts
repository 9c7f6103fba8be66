import { execFileSync } from 'node:child_process';
import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { curlCommand, formatJson, sendCommand, show } from '../../../../infra/local/inspector/page/text.ts';
import type { Hello, InspectedDelivery } from '../../../../infra/local/inspector/protocol.ts';

const delivery = (text: string, base64?: string) =>
  ({
    query: "SdkAppid=1&CallbackCommand=it's",
    headers: {},
    body: { text, bytes: 1, isTruncated: false, ...(base64 !== undefined && { base64 }) },
  }) as unknown as InspectedDelivery;
const HELLO = { webhookUrl: 'http://127.0.0.1:3000/webhook' } as Hello;

describe('JSON is indented', () => {
  test('as JSON.stringify does it', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        const value = JSON.parse(text);
        expect(formatJson(text)).toBe(JSON.stringify(value, null, 2));
      }),
    );
  });

  test('without a change of numbers, escapes and repeated keys', () => {
    expect(formatJson(String.raw`{"a":12345678901234567890,"a":1.0e400,"\u0061":"\/"}`)).toBe(
      '{\n  "a": 12345678901234567890,\n  "a": 1.0e400,\n  "\\u0061": "\\/"\n}',
    );
  });

  test.each(['', '{', 'text', '['.repeat(30_000) + ']'.repeat(30_000)])(
    'other and very deep text stays: %.20s',
    (text) => {
      expect(formatJson(text)).toBe(text);
    },
  );

  test('64 KiB in one string do not take long', () => {
    const text = JSON.stringify('\\"'.repeat(16_000));
    const start = performance.now();
    expect(formatJson(text)).toBe(text);
    expect(performance.now() - start).toBeLessThan(1_000);
  });
});

test('invisible characters are shown as escapes', () => {
  expect(show('a\u0000\u001b\u202e\u2066\u200b\ud800b\n\t新😀')).toBe(
    String.raw`a\u0000\u001b\u202e\u2066\u200b\ud800b` + '\n\t新😀',
  );
});

test.each<[string, (text: string) => string]>([
  ['curl', (text) => curlCommand(delivery(text), HELLO)],
  ['npm run send', (text) => sendCommand(delivery(text), HELLO)],
])('the shell gives any body to %s unchanged, and nothing of it is run', (_name, commandFor) => {
  const sample = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom(
      "'; touch /tmp/hacked; '",
      '$(id)',
      '`id`',
      '@file',
      '-n',
      '%s\\n',
      '!!',
      '\u0003id\n',
      '\u001b[201~id\n',
    ),
  );
  fc.assert(
    fc.property(sample, (text) => {
      const [writing = ''] = commandFor(text.toWellFormed()).split(/ \| (?:curl|npm) /);
      expect(writing).not.toMatch(/[^\P{Cc}\n]/u);
      expect(execFileSync('sh', ['-c', writing]).toString()).toBe(text.toWellFormed());
    }),
    { numRuns: 25 },
  );
});

test('the commands name the URL, and quote it', () => {
  expect(curlCommand(delivery('{}'), HELLO)).toContain(
    String.raw`curl -g 'http://127.0.0.1:3000/webhook?SdkAppid=1&CallbackCommand=it'\''s' -H 'Content-Type:'`,
  );
  expect(sendCommand(delivery('{}'), HELLO)).toContain(
    String.raw`--sdk-app-id='1' --command='it'\''s' --file=/dev/stdin`,
  );
});
