import type { Request } from '@middy/core';
import { COMMANDS } from './commands/index.ts';
import { callbackCommand, type Delivery } from './delivery.ts';
import type { ApplyResult, OfficialAccounts } from './official-accounts-table.ts';
import { IgnoredError } from './outcomes.ts';

/** Runs the delivery's callback command. Unhandled commands are ignored. */
export function dispatch(officialAccounts: OfficialAccounts) {
  return async (delivery: Delivery): Promise<ApplyResult | 'ignored'> => {
    const command = COMMANDS.get(callbackCommand(delivery));
    if (command === undefined) return 'ignored';
    const start = performance.now();
    const result = await command.receive(officialAccounts, delivery);
    delivery.storeMs = Math.round(performance.now() - start);
    return result;
  };
}

/**
 * Turns every error into an OK reply if the URL names an unhandled command, because a FAIL reply to a "before" command
 * blocks the user's action.
 *
 * @see https://www.tencentcloud.com/document/product/1047/60803 "Response parameters"
 */
export function ignoreUnhandled(request: Request<Delivery>): void {
  const { callbackCommand: inUrl } = request.event.query;
  if (inUrl !== undefined && !COMMANDS.has(inUrl)) request.error = new IgnoredError(request.error) as never;
}
