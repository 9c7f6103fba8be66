import type { Command } from './command.ts';
import schema from './official-account-full.schema.json' with { type: 'json' };

/**
 * Chat has no command for the opposite: an account that accepts subscribers again.
 *
 * @see https://www.tencentcloud.com/document/product/1047/60801 "After a Official Account Is Full"
 */
export const officialAccountFull = {
  name: 'OfficialAccount.CallbackAfterOfficialAccountFull',
  timestampAttribute: 'lastFullTime',
  attributes: {},
  event: { schema },
} satisfies Command;
