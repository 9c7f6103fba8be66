import { expect, test } from '@jest/globals';
import { parseBody } from '../../../lambda/checks/body.ts';
import { request } from '../../delivery.ts';

const HANDLED = 'OfficialAccount.CallbackAfterCreateOfficialAccount';

/** Returns a body after the parser, or throws the parser's error. */
function parsed(body: string | Buffer | undefined, callbackCommand?: string): unknown {
  const { event } = request((delivery) =>
    Object.assign(delivery, {
      body: Buffer.isBuffer(body) ? body.toString('base64') : body,
      isBase64Encoded: Buffer.isBuffer(body),
      query: { callbackCommand },
    }),
  );
  void parseBody().before?.({ event } as never);
  return event.body;
}

const rejection = (detail: string | undefined) => expect.objectContaining({ reason: 'badBody', detail });

test.each([
  ['text', '{"Name":"新"}'],
  ['base64', Buffer.from('{"Name":"新"}')],
  ['base64 with a byte order mark', Buffer.from('\uFEFF{"Name":"新"}')],
  ['text with a byte order mark', '\uFEFF{"Name":"新"}'],
])('a body that arrives as %s is parsed', (_as, body) => {
  expect(parsed(body, HANDLED)).toEqual({ Name: '新' });
});

test('a body may have 64 KiB, counted in bytes and not in characters', () => {
  expect(parsed(Buffer.from(`"${'a'.repeat(65_534)}"`))).toHaveLength(65_534);
  expect(parsed(`"${'名'.repeat(21_844)}"`)).toHaveLength(21_844);
  expect(() => parsed(Buffer.from(`"${'a'.repeat(65_535)}"`))).toThrow(rejection('65537 bytes'));
  expect(() => parsed(`"${'名'.repeat(21_845)}"`)).toThrow(rejection('65537 bytes'));
});

test.each([
  ['GBK', [0xd0, 0xc2]],
  ['cut in the middle of a character', [0xe6, 0x96]],
  ['a surrogate', [0xed, 0xa0, 0x80]],
  ['an overlong slash', [0xc0, 0xaf]],
])('a body that is not UTF-8 is rejected: %s', (_what, bytes) => {
  expect(() => parsed(Buffer.from(bytes))).toThrow(rejection('not UTF-8'));
});

test('an empty body is a Verify request without a command, and is rejected with a command', () => {
  for (const body of [undefined, '', ' \n', Buffer.from('\uFEFF')]) {
    expect(parsed(body)).toEqual({});
    expect(() => parsed(body, HANDLED)).toThrow(expect.objectContaining({ reason: 'badBody' }));
  }
});

test.each<[string, string | Buffer]>([
  ['empty', ''],
  ['cut short', '{'],
  ['nested 10,000 deep', '['.repeat(10_000) + ']'.repeat(10_000)],
  ['with a __proto__ key', '{"__proto__":{"Name":"x"}}'],
  ['with comments, as Tencent prints it', '{} // comment'],
  ['of form fields', 'Name=x'],
  ['in UTF-16', Buffer.from('\uFEFF{}', 'utf16le')],
])('an unreadable body is rejected: %s', (_what, body) => {
  expect(() => parsed(body, HANDLED)).toThrow(expect.objectContaining({ reason: 'badBody' }));
});

test.each([
  ['that is not UTF-8', Buffer.from([0xff, 0x00])],
  ['that is too large', Buffer.alloc(65_537, 'a')],
])('the delivery has the original bytes of a rejected body %s', (_what, body) => {
  const { event } = request((delivery) =>
    Object.assign(delivery, { body: body.toString('base64'), isBase64Encoded: true }),
  );
  expect(() => parseBody().before?.({ event } as never)).toThrow(expect.objectContaining({ reason: 'badBody' }));
  expect(event.bytes?.equals(body)).toBe(true);
});
