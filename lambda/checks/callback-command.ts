import type { Request } from '@middy/core';
import { commandInBody, type Delivery } from '../delivery.ts';
import { RejectedError } from '../outcomes.ts';

/** Lets a delivery through whose commands in URL and body are the same, or that has one of them. */
export function checkCallbackCommand({ event }: Request<Delivery>): void {
  const { query, body } = event;
  const inBody = commandInBody(body);
  if (query.callbackCommand !== undefined && inBody !== undefined && query.callbackCommand !== inBody) {
    throw new RejectedError('commandsDisagree');
  }
  // Only the console's Verify probe, which has no command, may come without an SdkAppid.
  if (query.sdkAppId === undefined && inBody !== undefined) throw new RejectedError('wrongApp');
}
