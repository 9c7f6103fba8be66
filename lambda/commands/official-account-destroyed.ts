import * as v from 'valibot';
import { isNewTime, type Command } from './command.ts';
import schema from './official-account-destroyed.schema.json' with { type: 'json' };
import { EVENT_FIELDS, readEvent, text } from './payload.ts';

/**
 * Only the ID and the time must be there.
 *
 * @see https://www.tencentcloud.com/document/product/1047/60798 "Request fields"
 */
const PAYLOAD = v.object({
  ...EVENT_FIELDS,
  Owner_Account: v.optional(text),
  Name: v.optional(text),
});

/** @see https://www.tencentcloud.com/document/product/1047/60798 "After Official Account Is Destroyed" */
export const officialAccountDestroyed: Command = {
  name: 'OfficialAccount.CallbackAfterOfficialAccountDestroyed',
  async receive(officialAccounts, delivery) {
    const { event, payload } = readEvent(PAYLOAD, delivery);
    return officialAccounts.apply({
      ...event,
      timestampAttribute: 'destroyedTime',
      attributes: { name: payload.Name, ownerAccount: payload.Owner_Account },
    });
  },
  event: { schema, matches: isNewTime('destroyedTime') },
};
