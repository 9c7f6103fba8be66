import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Deployment } from '../../infra/local/deployment.ts';
import { CHAT_TIMEOUT_MS, httpDelivery, OK, post } from '../delivery.ts';
import { startSlowDeployment } from '../deployment.ts';
import { logKeeper } from '../function-log.ts';
import { OK_ANSWER, startRawBackend, type RawBackend } from '../raw-backend.ts';
import { recordsOf } from '../records.ts';
import { slowed } from '../time.ts';
import { until } from '../until.ts';

const CREATIONS = 20;
const FORWARDED = 160;
/** The backend leaves these deliveries without an answer. */
const HANGING = [80, 81];

let backend: RawBackend;
let running: Deployment;
const log = logKeeper();

beforeAll(async () => {
  backend = await startRawBackend();
  // Two senders forward, so that hanging deliveries never hold all four instances.
  const environment = { FORWARD_URL: `${backend.url}/hook` };
  running = await startSlowDeployment({ environment, log: log.stream, maxInstances: 4 });
});
afterAll(async () => {
  await running?.stop();
  await backend?.close();
});

test('creations are stored in time among forwarded deliveries, while the backend hangs for a part of them', async () => {
  backend.respond = (socket, request) => {
    const { number } = JSON.parse(request.body.toString());
    if (!HANGING.includes(number)) OK_ANSWER(socket, request);
  };
  let next = 0;
  const statuses: Record<number, number> = {};
  const forward = async () => {
    for (let number = next++; number < FORWARDED; number = next++) {
      const { status } = await post(running.url, (delivery) => {
        delivery.query.set('CallbackCommand', 'C2C.CallbackBeforeSendMsg');
        delivery.body = JSON.stringify({ number });
      });
      statuses[status] = (statuses[status] ?? 0) + 1;
    }
  };
  const create = async () => {
    for (let number = 0; number < CREATIONS; number += 1) {
      const delivery = httpDelivery(({ payload }) => (payload['Official_Account'] = `@TOA#_混合${number}`));
      expect(await post(running.url, delivery)).toEqual(OK);
      // Spread over the forwarded deliveries, those that hang included.
      while (next < Math.min(FORWARDED, (number * FORWARDED) / CREATIONS)) await sleep(5);
    }
  };
  await Promise.all([forward(), forward(), create()]);

  expect(statuses).toEqual({ 200: FORWARDED - HANGING.length, 504: HANGING.length });
  expect(backend.requests).toHaveLength(FORWARDED);
  const lines = log.linesOf('delivery');
  // On a busy machine, DynamoDB may be too slow for a delivery, which is then parked and stored later.
  const created = lines.filter(({ outcome }) => outcome === 'stored' || outcome === 'parked');
  expect(created).toHaveLength(CREATIONS);
  // Measured by the function: the wait for a free instance of this machine is not part of it.
  expect(Math.max(...created.map(({ ms }) => ms))).toBeLessThan(slowed(CHAT_TIMEOUT_MS));
  await until(async () => (await recordsOf(running.dynamoDb.url, running.spec.tableName)).length === CREATIONS);
});
