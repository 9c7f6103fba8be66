import type { Request } from '@middy/core';
import { COMMANDS } from './commands/index.ts';
import { readEvent } from './commands/payload.ts';
import { callbackCommand, type Delivery } from './delivery.ts';
import type { ApplyResult, OfficialAccounts } from './official-accounts-table.ts';
import type { Forwarder } from './forward.ts';
import { IgnoredError } from './outcomes.ts';

/**
 * Stores the event of the delivery's callback command, and sets the delivery's `storeMs`. Commands that are not in
 * COMMANDS are ignored.
 *
 * @throws RejectedError if the body is invalid. After any other error, it is unknown whether the event was stored.
 */
export function dispatch(officialAccounts: OfficialAccounts) {
  return async (delivery: Delivery): Promise<ApplyResult | 'ignored'> => {
    const command = COMMANDS.get(callbackCommand(delivery));
    if (command === undefined) return 'ignored';
    const start = performance.now();
    const result = await officialAccounts.apply(readEvent(command, delivery));
    delivery.storeMs = Math.round(performance.now() - start);
    return result;
  };
}

/**
 * Marks every error as ignored if the URL names a command that is not in COMMANDS. A FAIL reply to a "before" command
 * would block the user's action.
 *
 * @see https://www.tencentcloud.com/document/product/1047/60803 "Response parameters"
 */
export function ignoreUnhandled(request: Request<Delivery>): void {
  if (isUnhandled(request.event)) request.error = new IgnoredError(request.error) as never;
}

/**
 * Forwards a delivery to the app's own backend if the URL names a command that is not in COMMANDS. It starts at once,
 * in parallel with the checks, because they do not decide whether the delivery is forwarded.
 */
export function forwardUnhandled({ forward }: Forwarder) {
  return ({ event }: Request<Delivery>): void => {
    if (isUnhandled(event)) event.forwarded = forward(event);
  };
}

function isUnhandled({ query }: Delivery): boolean {
  return query.callbackCommand !== undefined && !COMMANDS.has(query.callbackCommand);
}
