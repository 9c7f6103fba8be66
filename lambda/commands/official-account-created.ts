import * as v from 'valibot';
import { isNewTime, type Command } from './command.ts';
import schema from './official-account-created.schema.json' with { type: 'json' };
import { EVENT_FIELDS, readEvent, text } from './payload.ts';

/** @see https://www.tencentcloud.com/document/product/1047/60796 "Request fields" */
const PAYLOAD = v.object({
  ...EVENT_FIELDS,
  Operator_Account: text,
  Owner_Account: text,
  Name: text,
});

/** @see https://www.tencentcloud.com/document/product/1047/60796 "After an Official Account Is Created" */
export const officialAccountCreated: Command = {
  name: 'OfficialAccount.CallbackAfterCreateOfficialAccount',
  async receive(officialAccounts, delivery) {
    const { event, payload } = readEvent(PAYLOAD, delivery);
    return officialAccounts.apply({
      ...event,
      timestampAttribute: 'createdTime',
      attributes: {
        name: payload.Name,
        ownerAccount: payload.Owner_Account,
        operatorAccount: payload.Operator_Account,
      },
    });
  },
  event: { schema, matches: isNewTime('createdTime') },
};
