import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { FaultyDynamoDb, FaultySqs, type Fault } from '../faulty.ts';
import { DOCUMENTED_SAMPLE } from '../../infra/local/chat.ts';
import type { Deployment } from '../../infra/local/deployment.ts';
import { post } from '../delivery.ts';
import { startSlowDeployment } from '../deployment.ts';
import { logKeeper } from '../function-log.ts';
import { recordsOf } from '../records.ts';
import { until } from '../until.ts';

const ACCOUNTS = 5;
const store = new FaultyDynamoDb();
const queue = new FaultySqs();
let deployment: Deployment;
beforeAll(async () => {
  const services = { startStore: store.start, startQueues: queue.start, queueSecondMs: 0.2 };
  deployment = await startSlowDeployment({ ...services, log: logKeeper().stream });
});
afterAll(() => deployment?.stop());

/** Delivers 12 events for each account in a fixed disorder: some come late, and some twice. */
async function deliverAll(prefix: string) {
  const deliveries = Array.from({ length: 12 * ACCOUNTS }, (_, n) => {
    const eventTime = DOCUMENTED_SAMPLE.EventTime + ((n * 7) % 11);
    return { id: `${prefix}${n % ACCOUNTS}`, eventTime, name: `第${eventTime}号` };
  });
  const newestOk = new Map<string, number>();
  const waiting = deliveries.values();
  const sender = async () => {
    for (const { id, eventTime, name } of waiting) {
      const { status } = await post(deployment.url, ({ payload }) =>
        Object.assign(payload, { Official_Account: id, EventTime: eventTime, Name: name }),
      );
      expect([200, 503]).toContain(status);
      if (status === 200) newestOk.set(id, Math.max(eventTime, newestOk.get(id) ?? 0));
    }
  };
  await Promise.all([sender(), sender()]);
  return newestOk;
}

test.each<[string, Fault, Fault | undefined]>([
  ['denies writes', 'denies', undefined],
  ['cuts connections', 'succeeds, then cuts the connection', undefined],
  ['fails together with SQS', 'breaks', 'breaks'],
])(
  'while DynamoDB %s now and then, no delivery with an OK is lost, and no record is wrong',
  async (what, ...faults) => {
    const delivered = new AbortController();
    const disturb = async () => {
      while (!delivered.signal.aborted) {
        [store.fault, queue.fault] = store.fault === undefined ? faults : [undefined, undefined];
        await sleep(100);
      }
      [store.fault, queue.fault] = [undefined, undefined];
    };
    const disturbing = disturb();
    const newestOk = await deliverAll(`@TOA#_${what}_`);
    delivered.abort();
    await disturbing;
    for (const { queueName } of deployment.spec.consumers) {
      await until(() => deployment.sqs.messages(queueName).length === 0);
    }

    const records = await recordsOf(store.serviceUrl, deployment.spec.tableName);
    const ofThisTest = records.filter(({ officialAccountId }) => String(officialAccountId).includes(what));
    expect(ofThisTest.length).toBeGreaterThan(0);
    for (const { officialAccountId, eventTime, name } of ofThisTest) {
      expect(name).toBe(`第${String(eventTime)}号`);
      // A delivery with a 503 may be stored as well, because DynamoDB may have failed after the write.
      expect(eventTime).toBeGreaterThanOrEqual(newestOk.get(String(officialAccountId)) ?? 0);
    }
    if (faults[1] === undefined) expect(newestOk.size).toBe(ACCOUNTS); // every reply was OK
    expect(newestOk.size).toBeLessThanOrEqual(ofThisTest.length);
  },
);
