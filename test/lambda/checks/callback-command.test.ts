import { describe, expect, test } from '@jest/globals';
import { checkCallbackCommand } from '../../../lambda/checks/callback-command.ts';
import { CREATED, request } from '../../delivery.ts';

describe('the commands of URL and body', () => {
  const check = (query: object, body: unknown) => () =>
    checkCallbackCommand(request((event) => Object.assign(event, { query, body })) as never);
  const sdkAppId = '1400000000';

  test.each([
    ['agree', { sdkAppId, callbackCommand: CREATED }, { CallbackCommand: CREATED }],
    ['are only in the URL', { sdkAppId, callbackCommand: CREATED }, {}],
    ['are only in the body', { sdkAppId }, { CallbackCommand: CREATED }],
    ['are missing, as in the Verify request', {}, {}],
    ['are empty, as in the Verify request', {}, { CallbackCommand: '' }],
    ['are null, as in the Verify request', {}, { CallbackCommand: null }],
  ])('pass if they %s', (_what, query, body) => {
    expect(check(query, body)).not.toThrow();
  });

  test.each([
    ['another command', 'OfficialAccount.CallbackBeforeCreateOfficialAccount'],
    ['the same command in lower case', CREATED.toLowerCase()],
    ['a number', 5],
    ['an object', {}],
  ])('disagree if the body has %s', (_what, CallbackCommand) => {
    expect(check({ sdkAppId, callbackCommand: CREATED }, { CallbackCommand })).toThrow(
      expect.objectContaining({ reason: 'commandsDisagree' }),
    );
  });

  test('do not pass without an SDKAppID if the body has one', () => {
    expect(check({}, { CallbackCommand: CREATED })).toThrow(expect.objectContaining({ reason: 'wrongApp' }));
  });
});
