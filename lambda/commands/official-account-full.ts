import * as v from 'valibot';
import { isNewTime, type Command } from './command.ts';
import schema from './official-account-full.schema.json' with { type: 'json' };
import { EVENT_FIELDS, readEvent } from './payload.ts';

/** @see https://www.tencentcloud.com/document/product/1047/60801 "Request fields" */
const PAYLOAD = v.object(EVENT_FIELDS);

/**
 * Chat has no command for an account that is no longer full.
 *
 * @see https://www.tencentcloud.com/document/product/1047/60801 "After a Official Account Is Full"
 */
export const officialAccountFull: Command = {
  name: 'OfficialAccount.CallbackAfterOfficialAccountFull',
  async receive(officialAccounts, delivery) {
    const { event } = readEvent(PAYLOAD, delivery);
    return officialAccounts.apply({ ...event, timestampAttribute: 'lastFullTime', attributes: {} });
  },
  event: { schema, matches: isNewTime('lastFullTime') },
};
