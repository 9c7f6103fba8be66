import { describe, expect, test } from '@jest/globals';
import { REASONS, Refusal, reply } from '../../lambda/reply.ts';

describe('the table of reasons', () => {
  const reasons = Object.values(REASONS);

  test('uses every code once, from the range that Tencent leaves to apps', () => {
    const codes = reasons.map(({ errorCode }) => errorCode);
    expect(new Set(codes).size).toBe(codes.length);
    for (const code of codes) {
      expect(code).toBeGreaterThanOrEqual(120_001);
      expect(code).toBeLessThanOrEqual(130_000);
    }
  });

  test('answers 200 to all that was decided, and 503 only to what could not be kept', () => {
    for (const [name, { status }] of Object.entries(REASONS)) expect(status).toBe(name === 'notKept' ? 503 : 200);
  });
});

function answerTo(error?: unknown) {
  const request = { error, response: 'anything' } as never;
  const { after, onError } = reply();
  void (error === undefined ? after?.(request) : onError?.(request));
  return (request as { response: unknown }).response;
}

test('OK has the three fields of the documented sample, and nothing else', () => {
  expect(answerTo()).toEqual({
    statusCode: 200,
    headers: { 'content-type': 'application/json' },
    body: '{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0}',
  });
});

test('a refusal says its reason and the field, and keeps its detail to itself', () => {
  expect(answerTo(new Refusal('badPayload', { field: 'Name', detail: 'secret' }))).toEqual({
    statusCode: 200,
    headers: { 'content-type': 'application/json' },
    body: '{"ActionStatus":"FAIL","ErrorInfo":"a field of the body is missing, of the wrong type or out of range: Name","ErrorCode":120007}',
  });
});

test.each([new Error('secret'), 'secret', null])('anything unexpected gives the fixed 503: %p', (error) => {
  expect(answerTo(error)).toEqual({
    statusCode: 503,
    headers: { 'content-type': 'application/json' },
    body: '{"ActionStatus":"FAIL","ErrorInfo":"the delivery could not be kept","ErrorCode":120500}',
  });
});
