import { expect, test } from '@jest/globals';
import { jsonBody } from '../../lambda/body.ts';
import { request } from '../delivery.ts';

function decoded(body: string | Buffer | undefined, callbackCommand?: string): unknown {
  const { event } = request((delivery) =>
    Object.assign(delivery, {
      body: Buffer.isBuffer(body) ? body.toString('base64') : body,
      isBase64Encoded: Buffer.isBuffer(body),
      query: { callbackCommand },
    }),
  );
  const [decode] = jsonBody();
  void decode?.before?.({ event } as never);
  expect(event.isBase64Encoded).toBe(false);
  return event.body;
}

const refused = (detail: string | undefined) => expect.objectContaining({ reason: 'badBody', detail });

test.each([
  ['text', '{"Name":"新"}'],
  ['base64', Buffer.from('{"Name":"新"}')],
  ['base64 with a byte order mark', Buffer.from('\uFEFF{"Name":"新"}')],
  ['text with a byte order mark', '\uFEFF{"Name":"新"}'],
])('a body that arrives as %s becomes text', (_as, body) => {
  expect(decoded(body, 'c')).toBe('{"Name":"新"}');
});

test('a body may have 64 KiB and not one byte more, counted in bytes and not in characters', () => {
  expect(decoded(Buffer.from('a'.repeat(65_536)))).toHaveLength(65_536);
  expect(decoded('名'.repeat(21_845))).toHaveLength(21_845);
  expect(() => decoded(Buffer.from('a'.repeat(65_537)))).toThrow(refused('65537 bytes'));
  expect(() => decoded('名'.repeat(21_846))).toThrow(refused('65538 bytes'));
});

test.each([
  ['GBK', [0xd0, 0xc2]],
  ['cut in the middle of a character', [0xe6, 0x96]],
  ['a surrogate', [0xed, 0xa0, 0x80]],
  ['an overlong slash', [0xc0, 0xaf]],
])('a body that is not UTF-8 is refused: %s', (_what, bytes) => {
  expect(() => decoded(Buffer.from(bytes))).toThrow(refused('not UTF-8'));
});

test('an empty body is a Verify probe where there is no command, and stays empty where there is one', () => {
  expect(decoded(undefined)).toBe('{}');
  expect(decoded('')).toBe('{}');
  expect(decoded(undefined, 'c')).toBe('');
});

test('the bytes of a body are kept as they came, its first 64 KiB, even where it is refused', () => {
  const bytesOf = (body: Buffer) => {
    const { event } = request((delivery) =>
      Object.assign(delivery, { body: body.toString('base64'), isBase64Encoded: true }),
    );
    const [decode] = jsonBody();
    expect(() => decode?.before?.({ event } as never)).toThrow(expect.objectContaining({ reason: 'badBody' }));
    return event.bytes;
  };
  expect(bytesOf(Buffer.from([0xff, 0x00]))).toEqual(Buffer.from([0xff, 0x00]));
  expect(bytesOf(Buffer.alloc(65_537, 'a'))).toEqual(Buffer.alloc(65_536, 'a'));
});
