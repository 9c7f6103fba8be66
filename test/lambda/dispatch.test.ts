import { expect, test } from '@jest/globals';
import { COMMANDS } from '../../lambda/commands/index.ts';
import { dispatch } from '../../lambda/dispatch.ts';
import type { AccountEvent } from '../../lambda/official-account.ts';
import { delivery, DOCUMENTED_COMMANDS, recorded, SAMPLES } from '../delivery.ts';

async function dispatched(change?: Parameters<typeof delivery>[0]) {
  const events: AccountEvent[] = [];
  const apply = async (event: AccountEvent) => {
    events.push(event);
    return 'stored' as const;
  };
  return { outcome: await dispatch({ apply })(delivery(change)), events };
}

test('the command may be only in the URL or only in the body', async () => {
  expect((await dispatched((event) => delete event.query.callbackCommand)).outcome).toBe('stored');
  const { CallbackCommand: _, ...payload } = recorded('created');
  expect((await dispatched((event) => (event.body = payload))).outcome).toBe('stored');
});

test.each([...COMMANDS.values()])('the documented sample of the command $name is stored', async (command) => {
  const { outcome, events } = await dispatched((event) => {
    event.query.callbackCommand = command.name;
    event.body = SAMPLES.get(command.name);
  });
  expect(outcome).toBe('stored');
  const { Official_Account: officialAccountId, EventTime: eventTime } = SAMPLES.get(command.name)!;
  expect(events).toMatchObject([{ officialAccountId, eventTime }]);
  expect(Object.values(events[0]?.attributes ?? {})).not.toContain(undefined);
});

test('every command in the table is documented and has a sample, and every sample has a command', () => {
  expect([...COMMANDS.keys()].toSorted()).toEqual([...SAMPLES.keys()].toSorted());
  expect(DOCUMENTED_COMMANDS).toEqual(expect.arrayContaining([...SAMPLES.keys()]));
});

test.each([{}, [], null, 'text', 5])(
  'a delivery without a command is a Verify request, whatever its body: %j',
  async (body) => {
    const { outcome, events } = await dispatched((event) => Object.assign(event, { query: {}, body }));
    expect({ outcome, events }).toEqual({ outcome: 'ignored', events: [] });
  },
);
