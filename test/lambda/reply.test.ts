import { expect, test } from '@jest/globals';
import { IgnoredError, RejectedError } from '../../lambda/outcomes.ts';
import { reply } from '../../lambda/reply.ts';

async function replyTo(error?: unknown) {
  const request = { error, response: 'anything', event: {} } as never;
  const { after, onError } = reply();
  await (error === undefined ? after?.(request) : onError?.(request));
  return (request as { response: unknown }).response;
}

const OK = {
  statusCode: 200,
  headers: { 'content-type': 'application/json' },
  body: '{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0}',
};

test('OK has only the three fields of the documented sample', async () => {
  expect(await replyTo()).toEqual(OK);
});

test.each([new RejectedError('badSignature'), new Error('secret')])(
  'the reply to an ignored delivery is OK, even with an error: %p',
  async (error) => {
    expect(await replyTo(new IgnoredError(error))).toEqual(OK);
  },
);

test('a FAIL contains its reason and the field, but not the detail', async () => {
  expect(await replyTo(new RejectedError('badPayload', { field: 'Name', detail: 'secret' }))).toEqual({
    statusCode: 200,
    headers: { 'content-type': 'application/json' },
    body: '{"ActionStatus":"FAIL","ErrorInfo":"a field of the body is missing, of the wrong type or out of range: Name","ErrorCode":120007}',
  });
});

test.each([new Error('secret'), 'secret', null])('the reply to any other error is the fixed 503: %p', async (error) => {
  expect(await replyTo(error)).toEqual({
    statusCode: 503,
    headers: { 'content-type': 'application/json' },
    body: '{"ActionStatus":"FAIL","ErrorInfo":"the delivery could not be kept","ErrorCode":120500}',
  });
});
