import { setTimeout as sleep } from 'node:timers/promises';
import { PassThrough } from 'node:stream';
import { ScanCommand } from '@aws-sdk/client-dynamodb';
import { unmarshall } from '@aws-sdk/util-dynamodb';
import { CHAT_TIMEOUT_MS } from '../../lambda/limits.ts';
import {
  DOCUMENTED_SAMPLE,
  EXAMPLE_CLIENT,
  EXAMPLE_SDK_APP_ID,
  EXAMPLE_TOKEN,
  deliveryUrl,
  isOk,
  post,
} from '../../infra/local/chat.ts';
import { run, wholeNumber } from '../../infra/local/command-line.ts';
import { dynamoDbClient } from '../../infra/local/aws/dynamodb.ts';
import { FAULT_NAMES, faultyDynamoDb, faultySqs, type Fault } from './faulty.ts';
import { startDeployment } from '../../infra/local/deployment.ts';

const USAGE = `Shows that nothing is lost: delivers while the store, and then the queue as well, misbehaves in every way.

Usage: npm run faults -- [options]

  --count N        deliveries for each kind of fault (default: 1000)
  --concurrency N  as many at a time (default: 20)
  -h, --help       prints this

Prints a table: a row for each kind of fault. Lost is an official account whose newest delivery was answered OK, but
that does not end in the table; wrong, one whose record is not what was delivered. Exit code 0 where nothing is lost
or wrong, every reply came before Chat would have hung up, and as long as store or queue works every one was OK;
else 1.`;

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

await run(
  USAGE,
  { count: { type: 'string', default: '1000' }, concurrency: { type: 'string', default: '20' } },
  async (options) => {
    const count = wholeNumber('--count', options.count, 1, 1_000_000);
    const concurrency = wholeNumber('--concurrency', options.concurrency, 1, 100);
    const store = faultyDynamoDb();
    const queue = faultySqs();
    const receiver = await startDeployment({
      context: { sdkAppId: EXAMPLE_SDK_APP_ID },
      token: EXAMPLE_TOKEN,
      port: 0,
      startStore: store.start,
      startQueues: queue.start,
      queueSecondMs: QUEUE_SECOND_MS,
      log: new PassThrough().resume(),
    });

    const table: Record<string, Record<string, number>> = {};
    let isWell = true;
    for (const [index, row] of ROWS.entries()) {
      console.log(`${row.name} …`);
      const deliveries = randomDeliveries(count, `@TOA#_${index}_`);
      const isOver = new AbortController();
      const switching = switchFaults(row, isOver.signal);
      const replies = await deliverAll(deliveries, concurrency);
      isOver.abort();
      await switching;
      [store.fault, queue.fault] = [undefined, undefined];
      await parkedAreStored();
      const result = { ...replies.counts, ...judge(replies.answeredOk, deliveries, await records(`@TOA#_${index}_`)) };
      table[row.name] = { sent: count, ...result, 'slowest ms': replies.slowestMs };
      isWell &&= result.lost === 0 && result.wrong === 0 && replies.slowestMs < CHAT_TIMEOUT_MS;
      isWell &&= result.OK === count || (row.store !== undefined && row.queue !== undefined);
    }
    await receiver.stop();
    console.table(table);
    console.log(
      isWell ? 'Nothing lost, nothing wrong, every reply in time and OK where it can be.' : 'NOT WELL: see the table.',
    );
    process.exitCode = isWell ? 0 : 1;

    async function switchFaults({ store: storeFault, queue: queueFault, comesAndGoes }: Row, over: AbortSignal) {
      do {
        [store.fault, queue.fault] = [storeFault, queueFault];
        if (!comesAndGoes) return;
        await sleep(100);
        [store.fault, queue.fault] = [undefined, undefined];
        await sleep(100);
      } while (!over.aborted);
    }

    async function deliverAll(deliveries: readonly Sent[], workers: number) {
      const waiting = deliveries.toReversed();
      const answeredOk: Sent[] = [];
      const counts = { OK: 0, FAIL: 0, 'HTTP 503': 0, other: 0 };
      let slowestMs = 0;
      const worker = async () => {
        for (let delivery = waiting.pop(); delivery !== undefined; delivery = waiting.pop()) {
          const reply = await post(
            deliveryUrl(
              { url: receiver.url, sdkAppId: EXAMPLE_SDK_APP_ID, token: EXAMPLE_TOKEN, ...EXAMPLE_CLIENT },
              DOCUMENTED_SAMPLE.CallbackCommand,
            ),
            JSON.stringify({
              ...DOCUMENTED_SAMPLE,
              Official_Account: delivery.officialAccountId,
              EventTime: delivery.eventTime,
              Name: delivery.name,
            }),
          );
          slowestMs = Math.max(slowestMs, reply.milliseconds);
          if (isOk(reply)) answeredOk.push(delivery);
          counts[isOk(reply) ? 'OK' : reply.status === 200 ? 'FAIL' : reply.status === 503 ? 'HTTP 503' : 'other'] += 1;
        }
      };
      await Promise.all(Array.from({ length: workers }, worker));
      return { answeredOk, counts, slowestMs };
    }

    /** Waits for the redrive: by itself it stores all that is parked. */
    async function parkedAreStored(): Promise<void> {
      const [{ queueName } = { queueName: '' }] = receiver.deployment.consumers;
      while (receiver.sqs.messages(queueName).length > 0) await sleep(20);
    }

    async function records(prefix: string): Promise<Map<string, Record<string, unknown>>> {
      const client = dynamoDbClient(receiver.dynamoDb.url);
      const found = new Map<string, Record<string, unknown>>();
      let page: Record<string, any> | undefined;
      do {
        const input = { TableName: receiver.deployment.tableName, ExclusiveStartKey: page };
        const { Items = [], LastEvaluatedKey } = await client.send(new ScanCommand(input));
        for (const item of Items.map((attributes) => unmarshall(attributes))) {
          if (item['officialAccountId'].startsWith(prefix)) found.set(item['officialAccountId'], item);
        }
        page = LastEvaluatedKey;
      } while (page !== undefined);
      client.destroy();
      return found;
    }
  },
);

/** Few accounts and few times, so that deliveries repeat, and come late and in any order. */
function randomDeliveries(count: number, prefix: string): Sent[] {
  const below = (limit: number) => Math.floor(Math.random() * limit);
  return Array.from({ length: count }, () => {
    const eventTime = DOCUMENTED_SAMPLE.EventTime + below(50);
    return { officialAccountId: prefix + below(Math.ceil(count / 10)), eventTime, name: `第${eventTime}号` };
  });
}

function judge(answeredOk: readonly Sent[], deliveries: readonly Sent[], stored: Map<string, Record<string, unknown>>) {
  const newest = new Map<string, number>();
  for (const { officialAccountId, eventTime } of answeredOk) {
    newest.set(officialAccountId, Math.max(eventTime, newest.get(officialAccountId) ?? 0));
  }
  const isLost = ([id, eventTime]: [string, number]) => Number(stored.get(id)?.['eventTime'] ?? 0) < eventTime;
  // A delivery answered 503 may have been stored all the same: its service did not say so.
  const isWrong = ([id, record]: [string, Record<string, unknown>]) =>
    record['name'] !== `第${String(record['eventTime'])}号` ||
    !deliveries.some((sent) => sent.officialAccountId === id && sent.eventTime === record['eventTime']);
  return {
    accounts: new Set(deliveries.map(({ officialAccountId }) => officialAccountId)).size,
    stored: stored.size,
    lost: [...newest].filter(isLost).length,
    wrong: [...stored].filter(isWrong).length,
  };
}
