import type { Request } from '@middy/core';
import type { Command } from './command.ts';
import { callbackCommand, type Delivery } from './delivery.ts';
import { officialAccountChanged } from './official-account-changed.ts';
import { officialAccountCreated } from './official-account-created.ts';
import { officialAccountDestroyed } from './official-account-destroyed.ts';
import { officialAccountFull } from './official-account-full.ts';
import type { ApplyResult, OfficialAccounts } from './official-accounts.ts';
import { Ignored } from './outcomes.ts';

/**
 * The table of commands. One URL gets every command of the app: those that are not here are answered OK
 * and change nothing.
 *
 * A change of a record is published as the event of the first command here which may have made it. A change of the profile
 * comes last: other commands bring new texts along.
 */
export const COMMANDS: ReadonlyMap<unknown, Command> = new Map(
  [officialAccountCreated, officialAccountDestroyed, officialAccountFull, officialAccountChanged].map((command) => [
    command.name,
    command,
  ]),
);

/** Hands a delivery to its command. One whose command isn't in the table is ignored. */
export function receive(officialAccounts: OfficialAccounts) {
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
 * Keeps out of the way of commands that are not in the table, whatever is wrong with their delivery or with us:
 * a FAIL to a "before" command would block the user's action.
 *
 * @see https://www.tencentcloud.com/document/product/1047/60803 "Response parameters"
 */
export function ignoreOthers(request: Request<Delivery>): void {
  const { callbackCommand: inUrl } = request.event.query;
  if (inUrl !== undefined && !COMMANDS.has(inUrl)) request.error = new Ignored(request.error) as never;
}
