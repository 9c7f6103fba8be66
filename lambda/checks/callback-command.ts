import type { Request } from '@middy/core';
import { commandInBody, type Delivery } from '../delivery.ts';
import { RejectedError } from '../outcomes.ts';

/**
 * Rejects a delivery whose URL and body name different commands. Also rejects a delivery whose body names a command
 * although its URL has no SdkAppid.
 */
export function checkCallbackCommand({ event }: Request<Delivery>): void {
  const { query, body } = event;
  const inBody = commandInBody(body);
  if (query.callbackCommand !== undefined && inBody !== undefined && query.callbackCommand !== inBody) {
    throw new RejectedError('commandsDisagree');
  }
  // Only the console's Verify request may lack SdkAppid, and it has no command.
  if (query.sdkAppId === undefined && inBody !== undefined) throw new RejectedError('wrongApp');
}
