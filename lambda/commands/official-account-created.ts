import { required, type Command } from './command.ts';
import schema from './official-account-created.schema.json' with { type: 'json' };

/** @see https://www.tencentcloud.com/document/product/1047/60796 "After an Official Account Is Created" */
export const officialAccountCreated = {
  name: 'OfficialAccount.CallbackAfterCreateOfficialAccount',
  timestampAttribute: 'createdTime',
  attributes: {
    operatorAccount: required('Operator_Account'),
    ownerAccount: required('Owner_Account'),
    name: required('Name'),
  },
  event: { schema },
} satisfies Command;
