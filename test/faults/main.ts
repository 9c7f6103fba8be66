import { PassThrough } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { createProgram, run, wholeNumber } from '../../infra/cli/command-line.ts';
import { UsageError } from '../../infra/cli/errors.ts';
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
import { startDeployment, type Deployment } from '../../infra/local/deployment.ts';
import { synthesize } from '../../infra/local/synthesize.ts';
import { recordsOf } from '../records.ts';
import { FAULT_NAMES, faultyDynamoDb, faultySqs, type Fault } from './faulty.ts';

const INSTANCES = 8;
/** Default factor by which the function's timers are slower than on AWS, because this machine may be busy. */
const USUAL_TIME_SCALE = 4;

/** Milliseconds per second of the queues' clock, so that pauses of minutes take less than a second. */
const QUEUE_SECOND_MS = 4;

interface Row {
  name: string;
  store?: Fault;
  queue?: Fault;
  /** Whether the fault is on for only some of the time. */
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

const faultyServices = (timeScale: number) => ({ store: faultyDynamoDb(timeScale), queue: faultySqs(timeScale) });
type Services = ReturnType<typeof faultyServices>;

const faultsProgram = createProgram(
  'npm run faults --',
  'Shows that no delivery is lost if DynamoDB, or DynamoDB and SQS, fail in every way.',
)
  .option('--count <n>', 'deliveries for each kind of fault', wholeNumber(1, 1_000_000), 100)
  .option('--concurrency <n>', 'how many of them at the same time', wholeNumber(1, 100), 20)
  .option(
    '--time-scale <n>',
    "factor by which the function's timers are slower than on AWS, because this machine may be busy",
    wholeNumber(1, 100),
    USUAL_TIME_SCALE,
  )
  .option('--only <text>', 'only the kinds of fault whose name contains this text (default: all)')
  .addHelpText(
    'after',
    `
Prints a table with a row for each kind of fault. "lost" counts official accounts whose newest delivery was answered OK,
but is not in the table. "wrong" counts records that differ from what was delivered. Exit code 0 if nothing is lost or
wrong, every reply came before Chat's timeout, and every reply was OK as long as store or queue worked; else 1.
Chat's timeout of ${CHAT_TIMEOUT_MS / 1_000} s is longer in proportion to --time-scale. The time that a delivery waits for one of the ${INSTANCES} function instances does not count.`,
  )
  .action(async ({ count, concurrency, timeScale, only = '' }) => {
    const rows = ROWS.filter(({ name }) => name.includes(only));
    if (rows.length === 0) {
      throw new UsageError(`--only is '${only}', but the kinds are: ${ROWS.map(({ name }) => name).join(', ')}`);
    }
    const services = faultyServices(timeScale);
    const deployment = await startDeployment({
      spec: await synthesize({ sdkAppId: EXAMPLE_SDK_APP_ID }),
      token: EXAMPLE_TOKEN,
      port: 0,
      startStore: services.store.start,
      startQueues: services.queue.start,
      queueSecondMs: QUEUE_SECOND_MS,
      maxInstances: INSTANCES,
      timeScale,
      log: new PassThrough().resume(),
    });
    const results: Record<string, Result> = {};
    for (const [index, row] of rows.entries()) {
      console.log(`${row.name} …`);
      const deliveries = randomDeliveries(count, `@TOA#_${index}_`);
      results[row.name] = await deliverThrough(deployment, services, row, deliveries, concurrency);
    }
    await deployment.stop();
    console.table(results);
    const areWell = rows.every((row) => isWell(results[row.name]!, row, CHAT_TIMEOUT_MS * timeScale));
    console.log(
      areWell ? 'Nothing lost, nothing wrong, every reply in time and OK where possible.' : 'FAILED: see the table.',
    );
    process.exitCode = areWell ? 0 : 1;
  });

type Result = Awaited<ReturnType<typeof deliverThrough>>;

/** Delivers during the row's faults, and checks the records after the redrive. */
async function deliverThrough(
  deployment: Deployment,
  services: Services,
  row: Row,
  deliveries: readonly Sent[],
  concurrency: number,
) {
  const delivered = new AbortController();
  const switching = switchFaults(services, row, delivered.signal);
  const { answeredOk, counts, slowestMs } = await deliverAll(deployment.url, deliveries, concurrency);
  delivered.abort();
  await switching;
  const { store, queue } = services;
  [store.fault, queue.fault] = [undefined, undefined];
  await redriveAll(deployment);
  const records = await recordsOf(deployment.dynamoDb.url, deployment.spec.tableName);
  return {
    sent: deliveries.length,
    ...counts,
    ...judge(answeredOk, deliveries, records as unknown as Sent[]),
    'slowest ms': slowestMs,
  };
}

function isWell({ sent, OK, lost, wrong, 'slowest ms': slowestMs }: Result, row: Row, replyLimitMs: number): boolean {
  const canAllBeOk = row.store === undefined || row.queue === undefined;
  return lost === 0 && wrong === 0 && slowestMs < replyLimitMs && (OK === sent || !canAllBeOk);
}

async function switchFaults(
  { store, queue }: Services,
  { store: storeFault, queue: queueFault, comesAndGoes }: Row,
  delivered: AbortSignal,
) {
  do {
    [store.fault, queue.fault] = [storeFault, queueFault];
    if (!comesAndGoes) return;
    await sleep(100);
    [store.fault, queue.fault] = [undefined, undefined];
    await sleep(100);
  } while (!delivered.aborted);
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

/** Waits until the redrive has stored all deliveries of the queues. */
async function redriveAll({ sqs, spec }: Deployment): Promise<void> {
  for (const { queueName } of spec.consumers) while (sqs.messages(queueName).length > 0) await sleep(20);
}

/** Creates deliveries of few accounts and few times, so that some repeat, and some come late or out of order. */
function randomDeliveries(count: number, prefix: string): Sent[] {
  const below = (limit: number) => Math.floor(Math.random() * limit);
  return Array.from({ length: count }, () => {
    const eventTime = DOCUMENTED_SAMPLE.EventTime + below(50);
    return { officialAccountId: prefix + below(Math.ceil(count / 10)), eventTime, name: `第${eventTime}号` };
  });
}

/** @param records of all rows. */
function judge(answeredOk: readonly Sent[], deliveries: readonly Sent[], records: readonly Sent[]) {
  const ids = new Set(deliveries.map(({ officialAccountId }) => officialAccountId));
  const stored = records.filter(({ officialAccountId }) => ids.has(officialAccountId));
  const newestSent = new Map(stored.map(({ officialAccountId, eventTime }) => [officialAccountId, eventTime]));
  const lost = answeredOk.filter(({ officialAccountId: id, eventTime }) => eventTime > (newestSent.get(id) ?? 0));
  // A delivery that got a 503 may be stored, because the service may have failed after the write.
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

// An exit removes the bundle from the disk; a signal would not.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(1));
await run(faultsProgram);
