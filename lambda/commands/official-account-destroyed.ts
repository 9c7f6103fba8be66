import { optional, type Command } from './command.ts';
import schema from './official-account-destroyed.schema.json' with { type: 'json' };

/** @see https://www.tencentcloud.com/document/product/1047/60798 "After Official Account Is Destroyed" */
export const officialAccountDestroyed = {
  name: 'OfficialAccount.CallbackAfterOfficialAccountDestroyed',
  timestampAttribute: 'destroyedTime',
  attributes: {
    ownerAccount: optional('Owner_Account'),
    name: optional('Name'),
  },
  event: { schema },
} satisfies Command;
