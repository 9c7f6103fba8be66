import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import type { BusEvent } from '../../infra/local/aws/event-bus.ts';
import type { Deployment } from '../../infra/local/deployment.ts';
import { COMMANDS } from '../../lambda/commands/index.ts';
import { officialAccountChanged } from '../../lambda/commands/official-account-changed.ts';
import type { AccountEvent } from '../../lambda/official-account.ts';
import { accountEvent, eventTimes, FIRST_EVENT_TIME as TIME, modelOf, payloadOf, visible } from '../account-events.ts';
import { eventProblems } from '../event-problems.ts';
import { CHAT_TIMEOUT_MS, OK, post, recorded, SDK_APP_ID } from '../delivery.ts';
import { startSlowDeployment } from '../deployment.ts';
import { FaultyDynamoDb } from '../faulty.ts';
import { logKeeper } from '../function-log.ts';
import { recordOf as recordIn } from '../records.ts';
import { slowed } from '../time.ts';
import { until } from '../until.ts';

const [store, log] = [new FaultyDynamoDb(), logKeeper()];
let receiver: Deployment;
const published: BusEvent[] = [];
beforeAll(async () => {
  receiver = await startSlowDeployment({ startStore: store.start, queueSecondMs: 2, log: log.stream });
  receiver.bus.subscribe((event) => published.push(event));
});
afterAll(() => receiver?.stop());
beforeEach(async () => {
  await allPublished(); // events of the previous test
  published.length = 0;
});

const details = () => published.map(({ detail }) => detail as Record<string, any>);

/** Delivers a body as Chat does: with the command also in the URL. */
const deliver = (payload: Record<string, unknown>, change: (query: URLSearchParams) => void = () => {}) =>
  post(receiver.url, (delivery) => {
    delivery.payload = payload;
    delivery.query.set('CallbackCommand', String(payload['CallbackCommand']));
    change(delivery.query);
  });

const recordOf = (id: string) => recordIn(store.serviceUrl, receiver.spec.tableName, id);

/** Waits until all earlier changes have been published. Local events arrive in order. */
async function allPublished(): Promise<void> {
  const id = `last ${published.length} ${Math.random()}`;
  await deliver({ ...recorded('created'), Official_Account: id });
  await until(() => details().find(({ officialAccountId }) => officialAccountId === id));
  published.pop();
}

test('each command in the life of an account is stored, and published with its own detail type', async () => {
  const id = '@TOA#_test_OA_for_penn';
  const life = ['created', 'changed', 'full', 'destroyed'].map((name, n) => ({
    ...recorded(name),
    EventTime: 1670574414123 + n,
  }));
  for (const payload of life) expect(await deliver(payload)).toEqual(OK);
  await allPublished();
  const last = {
    sdkAppId: SDK_APP_ID,
    officialAccountId: id,
    name: 'TestOfficialAccount',
    introduction: 'NewNotification',
    faceUrl: 'http://this.is.newface.url',
    organization: 'NewOrganization',
    ownerAccount: '107867',
    operatorAccount: 'leckie',
    createdTime: 1670574414123,
    lastFullTime: 1670574414125,
    destroyedTime: 1670574414126,
    eventTime: 1670574414126,
    clientIp: '203.0.113.7',
    optPlatform: 'RESTAPI',
  };
  expect(visible((await recordOf(id)) ?? {})).toEqual(last);
  expect(published.map((event) => event['detail-type'])).toEqual([
    'Official Account Created',
    'Official Account Changed',
    'Official Account Full',
    'Official Account Destroyed',
  ]);
  expect(details().flatMap(eventProblems)).toEqual([]);
  expect(details()[1]).toMatchObject({
    name: 'NewName',
    previous: { name: 'TestOfficialAccount', introduction: null, faceUrl: null, organization: null },
  });
  expect(details()[3]).toEqual({
    ...last,
    version: 1,
    type: 'Official Account Destroyed',
    receivedTime: expect.any(Number),
    revision: 4,
  });
});

test('if DynamoDB hangs between the two writes of an event out of order, the delivery is parked and stored later', async () => {
  await deliver({ ...recorded('changed'), Official_Account: 'half-way', EventTime: TIME + 2 });
  const before = store.requests;
  store.onRequest = () => {
    if (store.requests - before === 2) store.fault = 'hangs';
  };
  const start = performance.now();
  expect(await deliver({ ...recorded('created'), Official_Account: 'half-way', EventTime: TIME + 1 })).toEqual(OK);
  expect(performance.now() - start).toBeLessThan(slowed(CHAT_TIMEOUT_MS));
  expect(await recordOf('half-way')).not.toHaveProperty('createdTime');
  [store.onRequest, store.fault] = [undefined, undefined];
  await until(async () => 'createdTime' in ((await recordOf('half-way')) ?? {}));
  expect(await recordOf('half-way')).toMatchObject({ name: 'NewName', createdTime: TIME + 1, eventTime: TIME + 2 });
});

test('100 mixed deliveries, 16 at a time and throttled, give the record of the model, and listeners get the same values', async () => {
  const id = '@TOA#_life';
  log.text = '';
  const sample = fc.sample(fc.tuple(accountEvent, eventTimes(121)), { numRuns: 100, seed: 20261125 });
  const events = sample.map(([event, eventTime]): AccountEvent => {
    // An empty parameter counts as absent.
    const [clientIp, optPlatform] = [event.clientIp || undefined, event.optPlatform || undefined];
    return { ...event, officialAccountId: id, eventTime, clientIp, optPlatform };
  });
  const waiting = [...events];
  let answered = 0;
  const worker = async () => {
    for (let event = waiting.pop(); event !== undefined; event = waiting.pop()) {
      const { clientIp, optPlatform } = event;
      const parameters = { ClientIP: clientIp ?? '', OptPlatform: optPlatform ?? '' };
      const reply = await deliver(payloadOf(event), (query) =>
        Object.entries(parameters).forEach(([name, value]) => query.set(name, value)),
      );
      expect(reply).toEqual(OK);
      answered += 1;
      store.fault = answered > 30 && answered < 40 ? 'throttles' : undefined;
    }
  };
  await Promise.all(Array.from({ length: 16 }, worker));
  const [{ queueName } = { queueName: '' }] = receiver.spec.consumers;
  while (receiver.sqs.messages(queueName).length > 0) await sleep(20);

  const outcomes = new Set(log.linesOf('delivery').map(({ outcome }) => outcome));
  expect([...outcomes].toSorted()).toEqual(['parked', 'stale', 'stored']);
  const record = (await recordOf(id)) ?? {};
  expect(visible(record)).toEqual({ ...modelOf(events), officialAccountId: id });

  await allPublished();
  expect(details().flatMap(eventProblems)).toEqual([]);
  let kept: Record<string, any> | undefined;
  const shuffled = fc.shuffledSubarray(details(), { minLength: published.length });
  for (const detail of fc.sample(shuffled, { numRuns: 1, seed: 20261125 })[0] ?? []) {
    const isNewer = kept === undefined || detail['eventTime'] > kept['eventTime'];
    const isLater = kept?.['eventTime'] === detail['eventTime'] && detail['revision'] > kept?.['revision'];
    if (isNewer || isLater) kept = detail;
  }
  const names = [
    ...Object.keys(officialAccountChanged.event.schema.properties.previous.properties),
    ...[...COMMANDS.values()].flatMap(({ event, timestampAttribute }) => (event && timestampAttribute) ?? []),
  ];
  const seen = (of: Record<string, unknown> = {}) => names.map((name) => [name, of[name]]);
  expect(seen(kept)).toEqual(seen(record));
});
