import { describe, expect, test } from '@jest/globals';
import type { Query } from '../../../lambda/delivery.ts';
import { checkSdkAppId } from '../../../lambda/checks/sdk-app-id.ts';
import { CREATED, request } from '../../delivery.ts';

describe('a delivery for the app 1400000000', () => {
  test.each<[string, string, Query]>([
    ['with its SDKAppID', 'passes', { sdkAppId: '1400000000', callbackCommand: CREATED }],
    ['without SdkAppid and command, like the Verify request', 'passes', {}],
    ['with another SDKAppID', 'wrongApp', { sdkAppId: '1400000001', callbackCommand: CREATED }],
    ['with another SDKAppID and no command', 'wrongApp', { sdkAppId: '1400000001' }],
    ['with a command, but without SdkAppid', 'wrongApp', { callbackCommand: CREATED }],
    ['with SdkAppid twice', 'wrongApp', { sdkAppId: '1400000000,1400000000', callbackCommand: CREATED }],
    ['with a space at the end', 'wrongApp', { sdkAppId: '1400000000 ', callbackCommand: CREATED }],
    ['with a leading zero', 'wrongApp', { sdkAppId: '01400000000', callbackCommand: CREATED }],
  ])('%s: %s', (_what, outcome, query) => {
    const check = () => checkSdkAppId('1400000000')(request((delivery) => (delivery.query = query)) as never);
    if (outcome === 'passes') expect(check).not.toThrow();
    else expect(check).toThrow(expect.objectContaining({ reason: outcome }));
  });
});
