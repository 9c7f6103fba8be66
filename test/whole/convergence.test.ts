import { afterAll, beforeAll, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { receive } from '../../lambda/commands.ts';
import type { Delivery } from '../../lambda/delivery.ts';
import { parkOnFailure } from '../../lambda/keep.ts';
import type { OfficialAccounts } from '../../lambda/official-accounts.ts';
import { startAccountsTable, type AccountsTable } from '../accounts-table.ts';
import { delivery, RECEIVED, recorded } from '../delivery.ts';

let table: AccountsTable;
beforeAll(async () => {
  table = await startAccountsTable();
});
afterAll(() => table.close());

/** One step of a history. `event` says which of the account's events it is about, `pick` which parked delivery. */
type Step =
  | { do: 'deliver'; event: number; store: 'works' | 'fails' | 'works, but says it failed' }
  | { do: 'redrive'; pick: number; store: 'works' | 'fails' | 'works, but says it failed'; isRepeated: boolean };

const store = fc.constantFrom('works', 'fails', 'works, but says it failed');
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant('deliver'), event: fc.nat(5), store }),
  fc.record({ do: fc.constant('redrive'), pick: fc.nat(9), store, isRepeated: fc.boolean() }),
) as fc.Arbitrary<Step>;

let histories = 0;

test('whatever order deliveries, repeats, failures, parkings and redrives take, the record ends as the newest event', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25 }), async (steps) => {
      const id = `@TOA#_${(histories += 1)}`;
      const parked: Delivery[] = [];
      let storeNow: Step['store'] = 'works';
      const faulty: OfficialAccounts = {
        async upsert(account) {
          if (storeNow === 'fails') throw new Error('the store failed');
          const result = await table.accounts.upsert(account);
          if (storeNow === 'works, but says it failed') throw new Error('the connection was cut');
          return result;
        },
      };
      const receiveOnce = receive(faulty);
      const receiver = parkOnFailure(receiveOnce, async () => ({
        park: async (failed) => void parked.push(failed),
        deadLetter: () => Promise.reject(new Error('nothing here is refused')),
        destroy() {},
      }));

      async function redrive(pick: number, isRepeated: boolean): Promise<void> {
        const index = pick % parked.length;
        const [failed] = parked.slice(index, index + 1);
        if (failed === undefined) return;
        try {
          await receiveOnce(failed);
        } catch {
          return; // it stays in the queue
        }
        if (!isRepeated) parked.splice(index, 1); // SQS may hand a message out again
      }

      const delivered: number[] = [];
      for (const next of steps) {
        storeNow = next.store;
        if (next.do === 'redrive') await redrive(next.pick, next.isRepeated);
        else {
          delivered.push(next.event);
          await receiver(eventDelivery(id, next.event));
        }
      }
      storeNow = 'works';
      while (parked.length > 0) await redrive(parked.length - 1, false);

      const newest = delivered.length === 0 ? undefined : recordOf(id, Math.max(...delivered));
      expect(await table.record(id)).toEqual(newest);
    }),
    { numRuns: 200 },
  );
});

/** Events differ in every attribute, those that need not be there included. */
function eventDelivery(id: string, event: number): Delivery {
  return delivery((right) => {
    if (event % 2 === 0) right.query.clientIp = `203.0.113.${event}`;
    else right.query.optPlatform = `平台${event}`;
    right.requestContext.timeEpoch = RECEIVED + 1000 * event;
    right.body = {
      ...recorded('created'),
      Official_Account: id,
      Name: `第${event}号`,
      Owner_Account: `owner${event}`,
      Operator_Account: `operator${event}`,
      EventTime: RECEIVED + event,
    };
  });
}

function recordOf(id: string, event: number): Record<string, unknown> {
  return {
    sdkAppId: '1400000000',
    officialAccountId: id,
    name: `第${event}号`,
    ownerAccount: `owner${event}`,
    operatorAccount: `operator${event}`,
    createdTime: RECEIVED + event,
    eventTime: RECEIVED + event,
    receivedTime: RECEIVED + 1000 * event,
    ...(event % 2 === 0 ? { clientIp: `203.0.113.${event}` } : { optPlatform: `平台${event}` }),
  };
}
