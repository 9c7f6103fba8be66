import { expect, test } from '@jest/globals';
import { receive } from '../../lambda/commands.ts';
import type { OfficialAccount } from '../../lambda/official-accounts.ts';
import { CREATED, delivery, recorded } from '../delivery.ts';

/** Receives a delivery, and tells what would have been stored. */
async function received(change?: Parameters<typeof delivery>[0]) {
  const stored: OfficialAccount[] = [];
  const upsert = async (account: OfficialAccount) => {
    stored.push(account);
    return 'stored' as const;
  };
  const outcome = await receive({ upsert })(delivery(change));
  return { outcome, stored };
}

test('the command may stand in the URL or in the body alone', async () => {
  expect((await received((event) => delete event.query.callbackCommand)).outcome).toBe('stored');
  const { CallbackCommand: _, ...payload } = recorded('created');
  expect((await received((event) => (event.body = payload))).outcome).toBe('stored');
});

// tencentcloud.com/document/product/1047: 60795, 60797 to 60805
const OTHER_COMMANDS = [
  'OfficialAccount.CallbackBeforeCreateOfficialAccount',
  'OfficialAccount.CallbackAfterOfficialAccountInfoChanged',
  'OfficialAccount.CallbackAfterOfficialAccountDestroyed',
  'OfficialAccount.CallbackAfterOfficialAccountFull',
  'OfficialAccount.CallbackBeforeAddSubscriber',
  'OfficialAccount.CallbackAfterAddSubscriber',
  'OfficialAccount.CallbackAfterDeleteSubscriber',
  'OfficialAccount.CallbackBeforeSendMsg',
  'OfficialAccount.CallbackAfterSendMsg',
  'OfficialAccount.CallbackAfterMsgWithDraw',
];

test.each([...OTHER_COMMANDS, 'C2C.CallbackBeforeSendMsg', CREATED.toLowerCase(), 'constructor', '__proto__', 'size'])(
  'the command %s is none that we handle',
  async (command) => {
    const { outcome, stored } = await received((event) => {
      event.query.callbackCommand = command;
      event.body = { CallbackCommand: command };
    });
    expect({ outcome, stored }).toEqual({ outcome: 'ignored', stored: [] });
  },
);

test.each([{}, [], null, 'text', 5])(
  'a delivery without a command is the Verify probe, whatever its body: %j',
  async (body) => {
    const { outcome, stored } = await received((event) => Object.assign(event, { query: {}, body }));
    expect({ outcome, stored }).toEqual({ outcome: 'ignored', stored: [] });
  },
);
