import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { FaultyDynamoDb, FaultySqs } from '../faulty.ts';
import type { Deployment } from '../../infra/local/deployment.ts';
import { FORWARD_OUTCOMES, NAMESPACE, type ForwardOutcome } from '../../lambda/metrics.ts';
import { OUTCOMES, REASONS } from '../../lambda/outcomes.ts';
import { post, sign, type HttpDelivery } from '../delivery.ts';
import { ALL_PARTS, resourcesOf, startSlowDeployment } from '../deployment.ts';
import { logKeeper } from '../function-log.ts';
import { answer, OK_ANSWER, startRawBackend, type RawAnswer } from '../raw-backend.ts';
import { slowed } from '../time.ts';
import { until } from '../until.ts';

/** Name and dimensions of a metric, which identify it in CloudWatch. */
type Metric = string;
const metric = (name: string, dimensions: Record<string, unknown>): Metric =>
  `${name} ${JSON.stringify(Object.entries(dimensions).toSorted())}`;

/** Returns the metrics of a log line in the embedded metric format. */
function metricsOf(line: Record<string, any>): Metric[] {
  return line['_aws'].CloudWatchMetrics.flatMap(({ Dimensions, Metrics }: Record<string, any[]>) =>
    Dimensions!.flatMap((names: string[]) =>
      Metrics!.map(({ Name }) => metric(Name, Object.fromEntries(names.map((name) => [name, line[name]])))),
    ),
  );
}

const backend = await startRawBackend();
afterAll(backend.close);

/** Body of the dashboard. A reference to a resource is its logical ID. */
const dashboard = (() => {
  const [properties] = resourcesOf('AWS::CloudWatch::Dashboard', ALL_PARTS);
  const parts: unknown[] = properties!['DashboardBody']['Fn::Join'][1];
  const text = parts.map((part) => (typeof part === 'string' ? part : JSON.stringify(part).replaceAll(/[^\w:]/g, '')));
  return JSON.parse(text.join('')) as { widgets: { type: string; properties: Record<string, any> }[] };
})();

/** Metrics in the graphs of the dashboard, each as [namespace, name, dimension, value, …, options]. */
const graphed = dashboard.widgets.flatMap(({ properties }) => (properties['metrics'] ?? []) as any[][]);
const shown: Metric[] = graphed
  .filter(([namespace]) => namespace === NAMESPACE)
  .map(([, name, ...rest]) => {
    const pairs = rest.filter((part) => typeof part === 'string');
    return metric(name, Object.fromEntries(pairs.flatMap((key, n) => (n % 2 ? [] : [[key, pairs[n + 1]]]))));
  });

/** Our own metrics in the alarms, alone or in an expression. */
const watched: Metric[] = resourcesOf('AWS::CloudWatch::Alarm', ALL_PARTS)
  .flatMap((alarm) => alarm['Metrics']?.flatMap((each: any) => each.MetricStat?.Metric ?? []) ?? [alarm])
  .filter(({ Namespace }) => Namespace === NAMESPACE)
  .map(({ MetricName, Dimensions }) =>
    metric(MetricName, Object.fromEntries(Dimensions.map(({ Name, Value }: any) => [Name, Value]))),
  );

/** Log fields in the queries, without those of CloudWatch and Lambda and without names that a query defines. */
const queried: string[] = dashboard.widgets
  .filter(({ type }) => type === 'log')
  .flatMap(({ properties }) => {
    const query = String(properties['query']).replace(/^SOURCE\b[^|]*\|/, '');
    const ownNames = new Set([...query.matchAll(/\bas (\w+)/g)].map(([, name]) => name));
    const words = query.replaceAll(/"[^"]*"/g, '').match(/@?\b[a-zA-Z]\w*\b/g) ?? [];
    const language = 'filter fields sort limit stats desc asc and or by as bin count max ispresent m'.split(' ');
    return words.filter((word) => !language.includes(word) && !ownNames.has(word) && !word.startsWith('@'));
  });

const [store, queue, log] = [new FaultyDynamoDb(), new FaultySqs(), logKeeper()];
let receiver: Deployment;
beforeAll(async () => {
  receiver = await startSlowDeployment({
    context: ALL_PARTS,
    environment: { ALLOWED_CIDRS: '127.0.0.1', FORWARD_URL: `${backend.url}/hook` },
    startStore: store.start,
    startQueues: queue.start,
    log: log.stream,
  });
});
afterAll(() => receiver?.stop());

/** One delivery for each outcome and each reason. */
const DELIVERIES: [string, (delivery: HttpDelivery) => void][] = [
  ['stored', () => {}],
  ['stale', () => {}],
  ['ignored', (d) => (d.query.delete('CallbackCommand'), (d.payload = { CallbackCommand: 'x' }))],
  ['wrongApp', ({ query }) => query.set('SdkAppid', '1')],
  ['badSignature', ({ query }) => query.set('Sign', '0')],
  ['expired', ({ query }) => sign(query, -100)],
  ['badBody', (d) => (d.body = '{')],
  ['commandsDisagree', ({ payload }) => (payload['CallbackCommand'] = 'x')],
  ['badPayload', ({ payload }) => delete payload['Name']],
  ['parked', () => ([store.fault, queue.fault] = ['breaks', undefined])],
  ['notKept', () => ([store.fault, queue.fault] = ['breaks', 'breaks'])],
];

/** One forwarded delivery for each result. */
const FORWARDED: [ForwardOutcome, RawAnswer][] = [
  ['ok', OK_ANSWER],
  ['notOk', answer('403 Forbidden', {})],
  ['backendFailed', (socket) => socket.destroy()],
  ['backendTimedOut', () => {}],
  ['forwardLoop', OK_ANSWER],
];

async function forward([result, respond]: (typeof FORWARDED)[number]): Promise<void> {
  backend.respond = respond;
  const headers: Record<string, string> = {};
  if (result === 'forwardLoop') {
    const [, loop = ''] = /^cdn-loop: (.*)$/im.exec(backend.requests[0]!.headers.join('\n')) ?? [];
    headers['cdn-loop'] = loop;
  }
  const change = (delivery: HttpDelivery) => {
    Object.assign(delivery, { headers, payload: {} });
    delivery.query.set('CallbackCommand', 'C2C.CallbackBeforeSendMsg');
  };
  await post(receiver.url, change);
}

describe('the log of the bundle', () => {
  let lines: Record<string, any>[];
  const startTime = Date.now();
  beforeAll(async () => {
    for (const [, change] of DELIVERIES) await post(receiver.url, change);
    for (const each of FORWARDED) await forward(each);
    const logged = () =>
      log.text
        .split('\n')
        .filter((line) => line.startsWith('{'))
        .map((line) => JSON.parse(line));
    const isDelivery = (line: Record<string, any>) => line['_aws'] !== undefined || line['message'] === 'delivery';
    lines = await until(() => {
      const all = logged().filter(isDelivery);
      return all.length === 2 * DELIVERIES.length + 3 * FORWARDED.length ? all : undefined;
    });
  });

  test('has a line with the outcome and a line with the metrics for each delivery', () => {
    const outcomes = lines.filter(({ message }) => message === 'delivery');
    const expected = [...DELIVERIES.map(([name]) => name), ...FORWARDED.map(() => 'forwarded')];
    expect(outcomes.map(({ outcome, reason }) => reason ?? outcome)).toEqual(expected);
    const counts = lines.filter(({ _aws, forward: result }) => _aws && result === undefined);
    expect(counts.map(({ outcome, reason }) => reason ?? outcome)).toEqual(expected);
    expect(lines.flatMap(({ forward: result }) => result ?? [])).toEqual(FORWARDED.map(([result]) => result));
    for (const { Deliveries, service, _aws } of counts) {
      expect([Deliveries, service]).toEqual([1, 'TencentChatWebhook']);
      expect(_aws.CloudWatchMetrics[0].Namespace).toBe('TencentChatWebhook');
    }
  });

  test('has no other lines, such as warnings of a library', () => {
    expect(log.text.split('\n').filter((line) => line !== '' && !line.startsWith('{'))).toEqual([]);
  });

  test('measures the age of readable events, and the time to store them', () => {
    const measured = (name: string) =>
      lines.filter((line) => line['_aws'] && line[name] !== undefined).map(({ outcome }) => outcome);
    expect(measured('EventAge')).toEqual(['stored', 'stale', 'parked']);
    expect(measured('StoreTime')).toEqual(['stored', 'stale']);
    const { EventAge, StoreTime } = lines.find((line) => line['StoreTime'] !== undefined)!;
    expect(EventAge).toBeGreaterThanOrEqual(startTime - 1670574414123);
    expect(EventAge).toBeLessThanOrEqual(Date.now() - 1670574414123);
    expect(StoreTime).toBeLessThan(slowed(1_000));
  });

  test('has only the dimensions service, outcome, reason and forward', () => {
    const names = lines.flatMap(({ _aws }) => _aws?.CloudWatchMetrics[0].Dimensions.flat() ?? []);
    expect([...new Set(names)].toSorted()).toEqual(['forward', 'outcome', 'reason', 'service']);
  });

  test('has each metric of the dashboard and of the alarms', () => {
    const logged = new Set(lines.filter(({ _aws }) => _aws).flatMap(metricsOf));
    // This machine cannot call from another address: handler.test.ts tests wrongAddress.
    const notHere = metric('Deliveries', { service: 'TencentChatWebhook', reason: 'wrongAddress' });
    expect(shown).toHaveLength(Object.keys(OUTCOMES).length + Object.keys(REASONS).length + FORWARDED.length + 6);
    expect([...shown, ...watched].filter((each) => !logged.has(each))).toEqual([notHere, notHere]);
    expect(watched).toHaveLength(15);
  });

  test('has each field of the dashboard’s queries', () => {
    expect(queried).toEqual(expect.arrayContaining(['name', 'officialAccountId', 'ownerAccount', 'outcome']));
    const line = lines.find(({ outcome, message }) => outcome === 'stored' && message === 'delivery')!;
    expect([...new Set(queried)].filter((field) => !(field in line))).toEqual([]);
  });

  test('has no negative age if Tencent’s clock is ahead, because CloudWatch has no percentiles for it', async () => {
    [store.fault, queue.fault] = [undefined, undefined];
    const ahead = { Official_Account: 'ahead', EventTime: Date.now() + 60_000 };
    await post(receiver.url, ({ payload }) => Object.assign(payload, ahead));
    expect((await log.deliveryOf('ahead'))['eventAgeMs']).toBeLessThan(-50_000);
    const [last] = log.text
      .split('\n')
      .filter((line) => line.includes('"EventAge":'))
      .slice(-1);
    expect(JSON.parse(last ?? '')).toMatchObject({ EventAge: 0, outcome: 'stored' });
  });
});

test('the dashboard shows every outcome, every reason and every result of forwarding', () => {
  const drawn = (dimension: string) =>
    shown.flatMap((each) => new RegExp(`^Deliveries .*"${dimension}","(\\w+)"`).exec(each)?.[1] ?? []);
  expect(drawn('outcome')).toEqual(Object.keys(OUTCOMES));
  expect(drawn('reason')).toEqual(Object.keys(REASONS));
  const results = shown.flatMap((each) => /"forward","(\w+)"/.exec(each)?.[1] ?? []);
  expect([...new Set(results)]).toEqual(FORWARD_OUTCOMES);
});

// The snapshot of the stack has those of the alarms, but not the dashboard.
test('the dashboard uses metrics of AWS with the documented names and dimensions', () => {
  const ofAws = graphed
    .filter(([namespace]) => namespace !== NAMESPACE)
    .map((parts) => parts.filter((part, n) => typeof part === 'string' && (n < 2 || n % 2 === 0)).join(' '));
  expect([...new Set(ofAws)].toSorted()).toEqual([
    'AWS/ApiGateway 4xx ApiId',
    'AWS/ApiGateway 5xx ApiId',
    'AWS/ApiGateway Latency ApiId',
    'AWS/DynamoDB SystemErrors Operation TableName',
    'AWS/DynamoDB ThrottledRequests Operation TableName',
    'AWS/Lambda Errors FunctionName',
    'AWS/Lambda IteratorAge FunctionName',
    'AWS/Lambda Throttles FunctionName',
    'AWS/SQS ApproximateNumberOfMessagesNotVisible QueueName',
    'AWS/SQS ApproximateNumberOfMessagesVisible QueueName',
  ]);
});
