import type { Request } from '@middy/core';
import type { Delivery } from '../delivery.ts';
import { RejectedError } from '../outcomes.ts';

/**
 * Rejects deliveries of other apps. Chat names the app only in the URL, never in the body.
 *
 * @param sdkAppId compared as text, character by character.
 * @see https://www.tencentcloud.com/document/product/1047/60796 "the app must check whether the SDKAppID in the request URL is its own"
 */
export function checkSdkAppId(sdkAppId: string) {
  return ({ event: { query } }: Request<Delivery>): void => {
    // Only the console's Verify request may lack SdkAppid. The body is not parsed yet: if it names a command, this is
    // not a Verify request, and checkCallbackCommand rejects it.
    if (query.sdkAppId === undefined && query.callbackCommand === undefined) return;
    if (query.sdkAppId !== sdkAppId) throw new RejectedError('wrongApp');
  };
}
