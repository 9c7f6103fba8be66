import { afterAll, beforeAll, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { dispatch } from '../../lambda/dispatch.ts';
import type { Delivery } from '../../lambda/delivery.ts';
import { parkOnFailure } from '../../lambda/failed-deliveries.ts';
import type { AccountEvent } from '../../lambda/official-account.ts';
import type { OfficialAccounts } from '../../lambda/official-accounts-table.ts';
import { accountEvent, deliveryOf, modelOf, visible } from '../account-events.ts';
import { startAccountsTable, type AccountsTable } from '../accounts-table.ts';

let table: AccountsTable;
beforeAll(async () => {
  table = await startAccountsTable();
});
afterAll(() => table.close());

/** One step of a history. `event` is the index of the account's event, `pick` the index of the parked delivery. */
type Step =
  | { do: 'deliver'; event: number; store: 'works' | 'fails' | 'works, but says it failed' }
  | { do: 'redrive'; pick: number; store: 'works' | 'fails' | 'works, but says it failed'; isRepeated: boolean };

const store = fc.constantFrom('works', 'fails', 'works, but says it failed');
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant('deliver'), event: fc.nat(5), store }),
  fc.record({ do: fc.constant('redrive'), pick: fc.nat(9), store, isRepeated: fc.boolean() }),
) as fc.Arbitrary<Step>;
const events = fc.array(accountEvent, { minLength: 6, maxLength: 6 });

let histories = 0;

test('after any history of deliveries, repeats, failures and redrives, the record is that of the independent model', async () => {
  await fc.assert(
    fc.asyncProperty(events, fc.array(step, { minLength: 1, maxLength: 25 }), async (ofAccount, steps) => {
      const id = `@TOA#_${(histories += 1)}`;
      const parked: Delivery[] = [];
      let storeNow: Step['store'] = 'works';
      const faulty: OfficialAccounts = {
        async apply(event) {
          if (storeNow === 'fails') throw new Error('the store failed');
          const result = await table.accounts.apply(event);
          if (storeNow === 'works, but says it failed') throw new Error('the connection was cut');
          return result;
        },
      };
      const receiveOnce = dispatch(faulty);
      const receiver = parkOnFailure(receiveOnce, async () => ({
        park: async (failed) => void parked.push(failed),
        deadLetter: () => Promise.reject(new Error('nothing here is rejected')),
        destroy() {},
      }));

      async function redrive(pick: number, isRepeated: boolean): Promise<void> {
        const index = pick % parked.length;
        const [failed] = parked.slice(index, index + 1);
        if (failed === undefined) return;
        try {
          await receiveOnce(failed);
        } catch {
          return; // the delivery stays in the queue
        }
        if (!isRepeated) parked.splice(index, 1); // SQS may deliver a message again
      }

      const delivered: AccountEvent[] = [];
      for (const next of steps) {
        storeNow = next.store;
        if (next.do === 'redrive') await redrive(next.pick, next.isRepeated);
        else {
          const event = { ...ofAccount[next.event]!, officialAccountId: id };
          delivered.push(event);
          await receiver(deliveryOf(event));
        }
      }
      storeNow = 'works';
      while (parked.length > 0) await redrive(parked.length - 1, false);

      const expected = delivered.length === 0 ? undefined : { ...modelOf(delivered), officialAccountId: id };
      const record = await table.record(id);
      expect(record && visible(record)).toEqual(expected);
    }),
    { numRuns: 100 },
  );
});
