import type { Request } from '@middy/core';
import type { Delivery } from '../delivery.ts';
import { RejectedError } from '../outcomes.ts';

/**
 * Lets only this app's deliveries through. Chat names the app in the URL alone, never in the body.
 *
 * @param sdkAppId compared as text, character for character.
 * @see https://www.tencentcloud.com/document/product/1047/60796 "the app must check whether the SDKAppID in the request URL is its own"
 */
export function checkSdkAppId(sdkAppId: string) {
  return ({ event: { query } }: Request<Delivery>): void => {
    // The console's Verify probe may lack SdkAppid. It has no command either; checkCallbackCommand sees to the one in the body.
    if (query.sdkAppId === undefined && query.callbackCommand === undefined) return;
    if (query.sdkAppId !== sdkAppId) throw new RejectedError('wrongApp');
  };
}
