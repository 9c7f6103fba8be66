import { describe, expect, test } from '@jest/globals';
import type { APIGatewayProxyEventV2, DynamoDBRecord } from 'aws-lambda';
import { toEvent } from '../../../../infra/local/aws/gateway.ts';
import type { BusEvent } from '../../../../infra/local/aws/event-bus.ts';
import { createHistory, type History } from '../../../../infra/local/inspector/history.ts';
import { httpDelivery, SDK_APP_ID } from '../../../delivery.ts';

const ROUTE = { method: 'POST', path: '/webhook' };
const OK = { status: 200, headers: {}, body: Buffer.from('{}') };

/** Shows a delivery to the history. @returns its ID, and what reports the reply. */
function receive(
  history: History,
  account = '@TOA#_a',
  body = Buffer.from(JSON.stringify({ Official_Account: account })),
) {
  const request = {
    httpVersion: '1.1',
    headers: {},
    rawQueryString: String(httpDelivery().query),
    sourceIp: '127.0.0.1',
  };
  const event: APIGatewayProxyEventV2 = toEvent({ ...request, body }, ROUTE);
  return { id: event.requestContext.requestId, reply: history.observe(event, body) };
}
const all = (history: History) => history.since(0).deliveries;
const log = (history: History, requestId: string, outcome: string, message = 'delivery') =>
  history.log(JSON.stringify({ level: 'INFO', message, requestId, outcome }));
const record = (officialAccountId: string, revision: number) => ({
  sdkAppId: { S: SDK_APP_ID },
  officialAccountId: { S: officialAccountId },
  revision: { N: String(revision) },
  eventTime: { N: '1' },
});
const change = (history: History, account: string, revision: number) =>
  history.recordChanged({
    dynamodb: {
      Keys: { sdkAppId: { S: SDK_APP_ID }, officialAccountId: { S: account } },
      ...(revision > 1 && { OldImage: record(account, revision - 1) }),
      NewImage: record(account, revision),
    },
  } as DynamoDBRecord);
const revisions = (history: History, id: string) => {
  const { before, after } = history.get(id)?.view.record ?? {};
  return [before?.['revision'], after?.['revision']];
};

describe('the history is bounded', () => {
  test('by the number of deliveries: the oldest are dropped', () => {
    const history = createHistory({ deliveries: 3, bytes: 1e9, events: 1 });
    const ids = Array.from({ length: 5 }, () => receive(history).id);
    expect(all(history).map(({ id }) => id)).toEqual(ids.slice(2));
    expect(history.since(0).oldest).toBe(3);
    expect(history.get(ids[0]!)).toBeUndefined();
  });

  test('by their size, in which a body, a log line and a reply count', () => {
    const history = createHistory({ deliveries: 1e9, bytes: 100_000, events: 1 });
    for (let n = 0; n < 20; n += 1) receive(history, 'a', Buffer.alloc(10_000, 'a'));
    expect(all(history).length).toBeGreaterThan(2);
    expect(all(history).length).toBeLessThan(10);
    const { reply } = receive(history);
    reply({ ...OK, body: Buffer.alloc(90_000) });
    expect(all(history)).toHaveLength(1);
  });

  test('by default to 2,000 deliveries and 64 MB', () => {
    const history = createHistory();
    for (let n = 0; n < 2_100; n += 1) receive(history);
    expect(history.since(0).oldest).toBe(101);
    for (let n = 0; n < 40; n += 1) receive(history, 'a', Buffer.alloc(2_000_000));
    expect(history.since(0).oldest).toBeGreaterThan(2_100);
  });
});

describe('the record before and after', () => {
  test('is that of the changes between the receipt and the log line', () => {
    const history = createHistory();
    change(history, '@TOA#_a', 1);
    const [first, other] = [receive(history).id, receive(history, '@TOA#_b').id];
    change(history, '@TOA#_a', 2);
    change(history, '@TOA#_a', 3); // of a concurrent delivery, for example
    log(history, first, 'stored');
    change(history, '@TOA#_a', 4);
    expect(revisions(history, first)).toEqual([1, 3]);
    expect(history.get(other)?.view.record).toBeUndefined();
  });

  test('of a parked delivery is that of the last change before it is stored', () => {
    const history = createHistory();
    const { id } = receive(history);
    log(history, id, 'parked');
    change(history, '@TOA#_a', 1);
    change(history, '@TOA#_a', 2);
    log(history, id, 'notStored', 'redrive');
    change(history, '@TOA#_a', 3);
    log(history, id, 'stored', 'redrive');
    change(history, '@TOA#_a', 4);
    expect(revisions(history, id)).toEqual([2, 3]);
    expect(history.get(id)?.view.redrive).toMatchObject({ outcome: 'stored' });
  });

  test('has numbers that JavaScript cannot hold as text', () => {
    const history = createHistory();
    const { id } = receive(history);
    const image = { ...record('@TOA#_a', 1), own: { N: '12345678901234567890' } };
    history.recordChanged({ dynamodb: { Keys: record('@TOA#_a', 1), NewImage: image } } as DynamoDBRecord);
    expect(history.get(id)?.view.record?.after).toMatchObject({ own: '12345678901234567890', revision: 1 });
  });
});

test('an event belongs to the delivery after which the record has this revision', () => {
  const history = createHistory();
  const ids = [1, 2].map((revision) => {
    const { id } = receive(history);
    change(history, '@TOA#_a', revision);
    log(history, id, 'stored');
    return id;
  });
  const event = (revision: number) =>
    ({ detail: { sdkAppId: SDK_APP_ID, officialAccountId: '@TOA#_a', eventTime: 1, revision } }) as BusEvent;
  for (const revision of [1, 2, 3]) history.published(event(revision));
  expect(ids.map((id) => history.get(id)?.view.event)).toEqual([event(1), event(2)]);
  expect(history.events).toEqual([event(3), event(2), event(1)]);
});

test('changes come in their order, a hundred at a time, each delivery once with its last state', () => {
  const history = createHistory();
  const deliveries = Array.from({ length: 250 }, () => receive(history));
  deliveries[0]?.reply(OK);
  const numbers: number[] = [];
  for (let [position, isComplete] = [0, false]; !isComplete;) {
    const news = history.since(position);
    expect(news.deliveries.length).toBeLessThanOrEqual(100);
    numbers.push(...news.deliveries.map(({ number }) => number));
    ({ position, isComplete } = news);
  }
  expect(numbers).toEqual([...Array.from({ length: 249 }, (_, index) => index + 2), 1]);
});

test('log lines of other deliveries, and lines that are no JSON, change nothing', () => {
  const history = createHistory();
  const { id } = receive(history);
  for (const line of [
    '',
    '{"message":"delivery"',
    '{"message":"delivery"}',
    `{"requestId":"${id}","message":"publish"}`,
  ]) {
    history.log(line);
  }
  log(history, 'another', 'stored');
  expect(history.get(id)?.view.log).toBeUndefined();
});
