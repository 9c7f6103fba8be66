import { expect, test } from '@jest/globals';
import { IgnoredError, RejectedError } from '../../lambda/outcomes.ts';
import { reply } from '../../lambda/reply.ts';

function answerTo(error?: unknown) {
  const request = { error, response: 'anything' } as never;
  const { after, onError } = reply();
  void (error === undefined ? after?.(request) : onError?.(request));
  return (request as { response: unknown }).response;
}

const OK = {
  statusCode: 200,
  headers: { 'content-type': 'application/json' },
  body: '{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0}',
};

test('OK has the three fields of the documented sample, and nothing else', () => {
  expect(answerTo()).toEqual(OK);
});

test.each([new RejectedError('badSignature'), new Error('secret')])(
  'what is ignored gets its OK, whatever is wrong with it: %p',
  (error) => {
    expect(answerTo(new IgnoredError(error))).toEqual(OK);
  },
);

test('a refusal says its reason and the field, and keeps its detail to itself', () => {
  expect(answerTo(new RejectedError('badPayload', { field: 'Name', detail: 'secret' }))).toEqual({
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
