import { describe, expect, test } from '@jest/globals';
import { checkCallbackCommand } from '../../../lambda/checks/callback-command.ts';
import { CREATED, request } from '../../delivery.ts';

describe('the commands of URL and body', () => {
  const check = (query: object, body: unknown) => () =>
    checkCallbackCommand(request((event) => Object.assign(event, { query, body })) as never);
  const sdkAppId = '1400000000';

  test.each([
    ['agree', { sdkAppId, callbackCommand: CREATED }, { CallbackCommand: CREATED }],
    ['stand in the URL alone', { sdkAppId, callbackCommand: CREATED }, {}],
    ['stand in the body alone', { sdkAppId }, { CallbackCommand: CREATED }],
    ['are missing, as in the Verify probe', {}, {}],
    ['are empty, as in the Verify probe', {}, { CallbackCommand: '' }],
    ['are null, as in the Verify probe', {}, { CallbackCommand: null }],
  ])('pass where they %s', (_what, query, body) => {
    expect(check(query, body)).not.toThrow();
  });

  test.each([
    ['another', 'OfficialAccount.CallbackBeforeCreateOfficialAccount'],
    ['in another case', CREATED.toLowerCase()],
    ['no text', 5],
    ['an object', {}],
  ])('disagree where that of the body is %s', (_what, CallbackCommand) => {
    expect(check({ sdkAppId, callbackCommand: CREATED }, { CallbackCommand })).toThrow(
      expect.objectContaining({ reason: 'commandsDisagree' }),
    );
  });

  test('are no way around the SDKAppID', () => {
    expect(check({}, { CallbackCommand: CREATED })).toThrow(expect.objectContaining({ reason: 'wrongApp' }));
  });
});
