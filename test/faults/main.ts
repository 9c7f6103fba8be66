import { setTimeout as sleep } from 'node:timers/promises';
import { PassThrough } from 'node:stream';
import { CHAT_TIMEOUT_MS } from '../../lambda/limits.ts';
import {
  DOCUMENTED_SAMPLE,
  EXAMPLE_CLIENT,
  EXAMPLE_SDK_APP_ID,
  EXAMPLE_TOKEN,
  deliveryUrl,
  isOk,
  post,
  type HttpReply,
} from '../../infra/local/chat.ts';
import { run, UsageError, wholeNumber } from '../../infra/local/command-line.ts';
import { startDeployment, type Deployment } from '../../infra/local/deployment.ts';
import { synthesize } from '../../infra/local/synthesize.ts';
import { recordsOf } from '../records.ts';
import { FAULT_NAMES, faultyDynamoDb, faultySqs, type Fault } from './faulty.ts';

const INSTANCES = 8;
/** How many times slower than on AWS the function's timers run: this machine may be busy. */
const TIME_SCALE = 4;
/** By when each reply must have come. */
const REPLY_LIMIT_MS = CHAT_TIMEOUT_MS * TIME_SCALE;

const USAGE = `Shows that nothing is lost: delivers while the store, and then the queue as well, misbehaves in every way.

Usage: npm run faults -- [options]

  --count N        deliveries for each kind of fault (default: 100)
  --concurrency N  as many at a time (default: 20)
  --only TEXT      only the kinds of fault whose name contains it (default: all)
  -h, --help       prints this

Prints a table: a row for each kind of fault. Lost is an official account whose newest delivery was answered OK, but
that does not end in the table; wrong, one whose record is not what was delivered. Exit code 0 where nothing is lost
or wrong, every reply came before Chat would have hung up, and as long as store or queue works every one was OK;
else 1. What a delivery waits for one of the ${INSTANCES} instances of the function, and would not on AWS, is not in its time.
The function's timers run ${TIME_SCALE} times slower than on AWS, so that a busy machine keeps its limits: Chat's ${CHAT_TIMEOUT_MS / 1_000} s are ${REPLY_LIMIT_MS / 1_000} s here.`;

/** A second of the queues' clock: their pauses of minutes pass in fractions of a second. */
const QUEUE_SECOND_MS = 4;

interface Row {
  name: string;
  store?: Fault;
  queue?: Fault;
  /** The fault comes and goes all the time. */
  comesAndGoes?: boolean;
}

const ROWS: Row[] = [
  { name: 'nothing is wrong' },
  ...FAULT_NAMES.map((store): Row => ({ name: `the store ${store}`, store })),
  { name: 'the store throttles now and then', store: 'throttles', comesAndGoes: true },
  { name: 'the store hangs now and then', store: 'hangs', comesAndGoes: true },
  { name: 'store and queue break', store: 'breaks', queue: 'breaks' },
  { name: 'store and queue hang', store: 'hangs', queue: 'hangs' },
  { name: 'the queue alone hangs', queue: 'hangs' },
];

interface Sent {
  officialAccountId: string;
  eventTime: number;
  name: string;
}

const store = faultyDynamoDb(TIME_SCALE);
const queue = faultySqs(TIME_SCALE);

// The bundle is then removed from the disk.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(1));

await run(
  USAGE,
  {
    count: { type: 'string', default: '100' },
    concurrency: { type: 'string', default: '20' },
    only: { type: 'string', default: '' },
  },
  async (options) => {
    const count = wholeNumber('--count', options.count, 1, 1_000_000);
    const concurrency = wholeNumber('--concurrency', options.concurrency, 1, 100);
    const rows = ROWS.filter(({ name }) => name.includes(options.only));
    if (rows.length === 0) {
      throw new UsageError(
        `--only is '${options.only}', but the kinds are: ${ROWS.map(({ name }) => name).join(', ')}`,
      );
    }
    const deployment = await startDeployment({
      spec: await synthesize({ sdkAppId: EXAMPLE_SDK_APP_ID }),
      token: EXAMPLE_TOKEN,
      port: 0,
      startStore: store.start,
      startQueues: queue.start,
      queueSecondMs: QUEUE_SECOND_MS,
      maxInstances: INSTANCES,
      timeScale: TIME_SCALE,
      log: new PassThrough().resume(),
    });
    const results: Record<string, Result> = {};
    for (const [index, row] of rows.entries()) {
      console.log(`${row.name} …`);
      results[row.name] = await deliverThrough(
        deployment,
        row,
        randomDeliveries(count, `@TOA#_${index}_`),
        concurrency,
      );
    }
    await deployment.stop();
    console.table(results);
    const areWell = rows.every((row) => isWell(results[row.name]!, row));
    console.log(
      areWell ? 'Nothing lost, nothing wrong, every reply in time and OK where it can be.' : 'NOT WELL: see the table.',
    );
    process.exitCode = areWell ? 0 : 1;
  },
);

type Result = Awaited<ReturnType<typeof deliverThrough>>;

/** Delivers while the row's faults are there, and looks at the records once they are over and the redrive is done. */
async function deliverThrough(deployment: Deployment, row: Row, deliveries: readonly Sent[], concurrency: number) {
  const isOver = new AbortController();
  const switching = switchFaults(row, isOver.signal);
  const { answeredOk, counts, slowestMs } = await deliverAll(deployment.url, deliveries, concurrency);
  isOver.abort();
  await switching;
  [store.fault, queue.fault] = [undefined, undefined];
  await parkedAreStored(deployment);
  const records = await recordsOf(deployment.dynamoDb.url, deployment.spec.tableName);
  return {
    sent: deliveries.length,
    ...counts,
    ...judge(answeredOk, deliveries, records as unknown as Sent[]),
    'slowest ms': slowestMs,
  };
}

function isWell({ sent, OK, lost, wrong, 'slowest ms': slowestMs }: Result, row: Row): boolean {
  const canAllBeOk = row.store === undefined || row.queue === undefined;
  return lost === 0 && wrong === 0 && slowestMs < REPLY_LIMIT_MS && (OK === sent || !canAllBeOk);
}

async function switchFaults({ store: storeFault, queue: queueFault, comesAndGoes }: Row, over: AbortSignal) {
  do {
    [store.fault, queue.fault] = [storeFault, queueFault];
    if (!comesAndGoes) return;
    await sleep(100);
    [store.fault, queue.fault] = [undefined, undefined];
    await sleep(100);
  } while (!over.aborted);
}

async function deliverAll(url: string, deliveries: readonly Sent[], concurrency: number) {
  const waiting = deliveries.toReversed();
  const answeredOk: Sent[] = [];
  const counts = { OK: 0, FAIL: 0, 'HTTP 503': 0, other: 0 };
  let slowestMs = 0;
  const worker = async () => {
    for (let delivery = waiting.pop(); delivery !== undefined; delivery = waiting.pop()) {
      const reply = await deliver(url, delivery);
      slowestMs = Math.max(slowestMs, reply.milliseconds - reply.waitedMs);
      if (isOk(reply)) answeredOk.push(delivery);
      counts[isOk(reply) ? 'OK' : reply.status === 200 ? 'FAIL' : reply.status === 503 ? 'HTTP 503' : 'other'] += 1;
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  return { answeredOk, counts, slowestMs };
}

function deliver(url: string, { officialAccountId, eventTime, name }: Sent): Promise<HttpReply> {
  const sender = { url, sdkAppId: EXAMPLE_SDK_APP_ID, token: EXAMPLE_TOKEN, ...EXAMPLE_CLIENT };
  const body = { ...DOCUMENTED_SAMPLE, Official_Account: officialAccountId, EventTime: eventTime, Name: name };
  return post(deliveryUrl(sender, DOCUMENTED_SAMPLE.CallbackCommand), JSON.stringify(body));
}

/** Waits for the redrive: by itself it stores all that is parked. */
async function parkedAreStored({ sqs, spec }: Deployment): Promise<void> {
  for (const { queueName } of spec.consumers) while (sqs.messages(queueName).length > 0) await sleep(20);
}

/** Few accounts and few times, so that deliveries repeat, and come late and in any order. */
function randomDeliveries(count: number, prefix: string): Sent[] {
  const below = (limit: number) => Math.floor(Math.random() * limit);
  return Array.from({ length: count }, () => {
    const eventTime = DOCUMENTED_SAMPLE.EventTime + below(50);
    return { officialAccountId: prefix + below(Math.ceil(count / 10)), eventTime, name: `第${eventTime}号` };
  });
}

/** @param records those of other rows as well. */
function judge(answeredOk: readonly Sent[], deliveries: readonly Sent[], records: readonly Sent[]) {
  const ids = new Set(deliveries.map(({ officialAccountId }) => officialAccountId));
  const stored = records.filter(({ officialAccountId }) => ids.has(officialAccountId));
  const newestSent = new Map(stored.map(({ officialAccountId, eventTime }) => [officialAccountId, eventTime]));
  const lost = answeredOk.filter(({ officialAccountId: id, eventTime }) => eventTime > (newestSent.get(id) ?? 0));
  // A delivery answered 503 may have been stored all the same: its service did not say so.
  const isRight = (record: Sent) =>
    deliveries.some(
      ({ officialAccountId, eventTime, name }) =>
        officialAccountId === record.officialAccountId && eventTime === record.eventTime && name === record.name,
    );
  return {
    accounts: ids.size,
    stored: stored.length,
    lost: new Set(lost.map(({ officialAccountId }) => officialAccountId)).size,
    wrong: stored.filter((record) => !isRight(record)).length,
  };
}
