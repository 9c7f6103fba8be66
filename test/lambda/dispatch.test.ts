import { expect, test } from '@jest/globals';
import { COMMANDS } from '../../lambda/commands/index.ts';
import { dispatch } from '../../lambda/dispatch.ts';
import { received as receivedBy } from '../account-events.ts';
import { CREATED, delivery, OFFICIAL_ACCOUNT_COMMANDS, recorded } from '../delivery.ts';

const received = (change?: Parameters<typeof delivery>[0]) =>
  receivedBy((accounts, event) => dispatch(accounts)(event), change);

test('the command may stand in the URL or in the body alone', async () => {
  expect((await received((event) => delete event.query.callbackCommand)).outcome).toBe('stored');
  const { CallbackCommand: _, ...payload } = recorded('created');
  expect((await received((event) => (event.body = payload))).outcome).toBe('stored');
});

const named = (wanted: (what: string) => boolean) =>
  Object.entries(OFFICIAL_ACCOUNT_COMMANDS).flatMap(([name, what]) => (wanted(what) ? [[name, what] as const] : []));

test.each(named((what) => what !== 'ignored'))(
  'the command %s, as documented, is stored (%s)',
  async (command, name) => {
    const { outcome, events } = await received((event) => {
      event.query.callbackCommand = command;
      event.body = recorded(name);
    });
    expect(outcome).toBe('stored');
    expect(events).toMatchObject([{ officialAccountId: '@TOA#_test_OA_for_penn', eventTime: 1670574414123 }]);
    expect(recorded(name)['CallbackCommand']).toBe(command);
  },
);

test('no other command is in the table', () => {
  const handled = named((what) => what !== 'ignored').map(([name]) => name);
  expect([...COMMANDS.keys()].toSorted()).toEqual(handled.toSorted());
});

const OTHER_COMMANDS = named((what) => what === 'ignored').map(([name]) => name);

test.each([...OTHER_COMMANDS, 'C2C.CallbackBeforeSendMsg', CREATED.toLowerCase(), 'constructor', '__proto__', 'size'])(
  'the command %s is none that we handle',
  async (command) => {
    const { outcome, events } = await received((event) => {
      event.query.callbackCommand = command;
      event.body = { CallbackCommand: command };
    });
    expect({ outcome, events }).toEqual({ outcome: 'ignored', events: [] });
  },
);

test.each([{}, [], null, 'text', 5])(
  'a delivery without a command is the Verify probe, whatever its body: %j',
  async (body) => {
    const { outcome, events } = await received((event) => Object.assign(event, { query: {}, body }));
    expect({ outcome, events }).toEqual({ outcome: 'ignored', events: [] });
  },
);
