import { DynamoDBClient, paginateQuery, type AttributeValue, type QueryCommandInput } from '@aws-sdk/client-dynamodb';
import { EventBridgeClient } from '@aws-sdk/client-eventbridge';
import { MAX_ENTRIES, putEvents, type PutResult } from '../../lambda/event-bus.ts';
import { MAX_KEY_BYTES, MIN_EVENT_TIME_MS, PUBLISH_LIMITS } from '../../lambda/limits.ts';
import { officialAccountCreated } from '../../lambda/commands/official-account-created.ts';
import { officialAccountDestroyed } from '../../lambda/commands/official-account-destroyed.ts';
import {
  imageOf,
  makeEvent,
  UnpublishableError,
  type OfficialAccountEvent,
} from '../../lambda/official-account-event.ts';
import { clientSettings } from '../../lambda/sdk-client.ts';
import { Failure, run, UsageError } from '../local/command-line.ts';
import { awsFailure, tryTo } from './aws-errors.ts';
import { DEPLOYMENT_OPTIONS, DEPLOYMENT_USAGE, findDeployment, type DeployedStack } from './deployed-stack.ts';
import { endProgress, printable, progress, untilInterrupted } from './terminal.ts';

const USAGE = `Publishes official accounts again, for systems that have missed their events: each record as one event, as destroyed
where the account is destroyed, else as created. An event that comes twice does no harm.

Usage: npm run republish -- (--since TIME [--until TIME] | --id ID) (--stack NAME | --local) [options]

  --since TIME     the records whose receivedTime is TIME or later, as 2026-11-28T10:00:00Z or in Unix milliseconds
  --until TIME     and not later than TIME (default: now)
  --id ID          the record of one official account
  --dry-run        lists the records, and publishes nothing
${DEPLOYMENT_USAGE}
  -h, --help       prints this

An event that comes out of order does not change receivedTime: its record is found by the time of the newer event. A record
whose creation has not been seen is listed, and not published.
The records come in the order of their receivedTime. After Ctrl-C, or where the event bus fails, it prints the --since with
which to go on.
Needs the rights cloudformation:DescribeStacks, lambda:GetFunctionConfiguration and dynamodb:Query, and events:PutEvents but
for --dry-run.
Exit code 0 where every record was published, apart from those whose creation has not been seen; 1 where one was not; 2
where the options make no sense.

Examples:
  npm run republish -- --since 2026-11-28T10:00:00Z --until 2026-11-28T12:00:00Z --stack TencentChatWebhook --dry-run
  npm run republish -- --id '@TOA#_news' --stack TencentChatWebhook`;

/** A day, or a time with its zone: without one it would be another time on another machine. */
const ISO_TIME = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d))?$/;

const LONGEST_TYPE = officialAccountDestroyed.event.schema.title;

/** Which records to publish. Both times belong to the range. */
export type Selection = { id: string } | { since: number; until: number };

/** A record that was found, and the event that it becomes, or why it becomes none. */
export type Found = { id: string; receivedTime: number } & (
  { event: OfficialAccountEvent } | { reason: 'creation not seen' } | { reason: 'refused'; detail: string }
);
type Publishable = Extract<Found, { event: OfficialAccountEvent }>;

/** Returns the event that tells of a record as it is. */
export function publicationOf(item: Record<string, AttributeValue>): Found {
  const record = {
    id: item['officialAccountId']?.S ?? '',
    receivedTime: Number(item['receivedTime']?.N ?? Number.NaN),
  };
  try {
    const image = imageOf(item);
    if (image['createdTime'] === undefined) return { ...record, reason: 'creation not seen' };
    const command = image['destroyedTime'] === undefined ? officialAccountCreated : officialAccountDestroyed;
    return { ...record, event: makeEvent(command, image) };
  } catch (error) {
    if (!(error instanceof UnpublishableError)) throw error;
    return { ...record, reason: 'refused', detail: error.message };
  }
}

export interface RepublishOptions {
  events: readonly OfficialAccountEvent[];
  put: (events: readonly OfficialAccountEvent[]) => Promise<PutResult[]>;
  /** Ends it after the events that are on their way. */
  signal: AbortSignal;
  /** Gets the number of events that are done. */
  onProgress: (done: number) => void;
}

/**
 * Publishes events, a call's worth at a time.
 *
 * @returns the results of the events that were tried, in their order: fewer than the events where it was interrupted, or
 * where the last ones failed.
 */
export async function republish({ events, put, signal, onProgress }: RepublishOptions): Promise<PutResult[]> {
  const results: PutResult[] = [];
  while (results.length < events.length && !signal.aborted) {
    results.push(...(await put(events.slice(results.length, results.length + MAX_ENTRIES))));
    onProgress(results.length);
    if (results.some(({ outcome }) => outcome === 'failed')) break;
  }
  return results;
}

if (import.meta.main) {
  await run(
    USAGE,
    {
      since: { type: 'string' },
      until: { type: 'string' },
      id: { type: 'string' },
      'dry-run': { type: 'boolean', default: false },
      ...DEPLOYMENT_OPTIONS,
    },
    async (options) => {
      const selection = readSelection(options);
      const deployment = await findDeployment(options);
      const signal = untilInterrupted();
      const found = await findRecords(deployment, selection, signal);
      if ('id' in selection && found.length === 0) {
        throw new Failure(`There is no record of ${printable(selection.id)} in ${deployment.name}`);
      }
      if (options['dry-run']) list(found, deployment);
      else await publish(found, deployment, selection, signal);
    },
  );
}

function readSelection({ since, until, id }: { since?: string; until?: string; id?: string }): Selection {
  if ((since === undefined) === (id === undefined)) throw new UsageError('give either --since TIME or --id ID');
  if (id !== undefined) {
    if (until !== undefined) throw new UsageError('--until is for --since alone');
    if (id === '' || Buffer.byteLength(id) > MAX_KEY_BYTES) {
      throw new UsageError(`--id can be no ID: DynamoDB takes 1 to ${MAX_KEY_BYTES} bytes`);
    }
    return { id };
  }
  const range = {
    since: readTime('--since', since ?? ''),
    until: until === undefined ? Date.now() : readTime('--until', until),
  };
  if (range.since > range.until)
    throw new UsageError(`--since is later than ${until === undefined ? 'now' : '--until'}`);
  return range;
}

function readTime(option: string, text: string): number {
  const time = ISO_TIME.test(text) ? Date.parse(text) : /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (time >= MIN_EVENT_TIME_MS && Number.isSafeInteger(time)) return time; // a smaller number counts seconds
  throw new UsageError(
    `${option} is '${text}', but must be a time as 2026-11-28T10:00:00Z, a day as 2026-11-28, or Unix milliseconds`,
  );
}

/** @returns the records of the app that were selected, by their receivedTime. */
async function findRecords(
  { config: { tableName, sdkAppId }, clientSettings: settings }: DeployedStack,
  selection: Selection,
  signal: AbortSignal,
): Promise<Found[]> {
  const client = new DynamoDBClient(settings('DYNAMODB'));
  const found: Found[] = [];
  let read = 0;
  await tryTo('read the table', async () => {
    const query = { TableName: tableName, ConsistentRead: true, ...conditions(sdkAppId, selection) };
    for await (const { Items = [], ScannedCount = 0 } of paginateQuery({ client }, query)) {
      if (signal.aborted) throw new Failure('Interrupted: nothing was published');
      found.push(...Items.map(publicationOf));
      read += ScannedCount;
      progress(`${count(read)} records read, ${count(found.length)} found`);
    }
  });
  endProgress();
  client.destroy();
  return found.toSorted((a, b) => a.receivedTime - b.receivedTime);
}

function conditions(sdkAppId: string, selection: Selection): Partial<QueryCommandInput> {
  if ('id' in selection) {
    return {
      KeyConditionExpression: 'sdkAppId = :sdkAppId AND officialAccountId = :id',
      ExpressionAttributeValues: { ':sdkAppId': { S: sdkAppId }, ':id': { S: selection.id } },
    };
  }
  return {
    KeyConditionExpression: 'sdkAppId = :sdkAppId',
    FilterExpression: 'receivedTime BETWEEN :since AND :until',
    ExpressionAttributeValues: {
      ':sdkAppId': { S: sdkAppId },
      ':since': { N: String(selection.since) },
      ':until': { N: String(selection.until) },
    },
  };
}

function list(found: readonly Found[], { name }: DeployedStack): void {
  for (const record of found) console.log(oneLine(record));
  const events = found.filter(isPublishable);
  console.log(`${count(found.length)} found in ${name}: ${count(events.length)} would be published.`);
  if (found.some(isRefused)) process.exitCode = 1;
}

async function publish(
  found: readonly Found[],
  { name, eventBusName, clientSettings: settings }: DeployedStack,
  selection: Selection,
  signal: AbortSignal,
): Promise<void> {
  const publishable = found.filter(isPublishable);
  const client = new EventBridgeClient({
    ...clientSettings({ ...PUBLISH_LIMITS, attempts: 1 }), // putEvents tries again itself
    ...settings('EVENTBRIDGE'),
  });
  const results = await republish({
    events: publishable.map(({ event }) => event),
    put: (events) => putEvents(client, eventBusName, events),
    signal,
    onProgress: (done) => progress(`${count(done)} of ${count(publishable.length)}`),
  });
  endProgress();
  client.destroy();

  const refusedByBus = publishable.flatMap(({ event: _, ...record }, n): Found[] => {
    const result = results[n];
    return result?.outcome === 'refused' ? [{ ...record, reason: 'refused', detail: result.reason }] : [];
  });
  const notPublished = [...found.filter((record) => !isPublishable(record)), ...refusedByBus];
  for (const record of notPublished) console.log(oneLine(record));
  const published = publishable.filter((_record, n) => results[n]?.outcome === 'published');
  const left = publishable.filter((_record, n) => (results[n]?.outcome ?? 'failed') === 'failed');
  console.log(`${summary(found, published, notPublished)} in ${name}.`);
  if (left.length > 0) console.error(whyLeft(left, results, selection));
  process.exitCode = left.length > 0 || notPublished.some(isRefused) ? 1 : 0;
}

function summary(found: readonly Found[], published: readonly Publishable[], notPublished: readonly Found[]): string {
  const destroyed = published.filter(({ event }) => event.detailType === officialAccountDestroyed.event.schema.title);
  const created = published.length - destroyed.length;
  const refused = notPublished.filter(isRefused).length;
  return (
    `${count(found.length)} found, ${count(published.length)} published (${count(created)} as created, ` +
    `${count(destroyed.length)} as destroyed), ${count(notPublished.length - refused)} whose creation has not been ` +
    `seen, ${count(refused)} refused`
  );
}

function whyLeft(left: readonly Publishable[], results: readonly PutResult[], selection: Selection): string {
  const failed = results.find((result) => result.outcome === 'failed');
  const why = failed === undefined ? 'Interrupted' : failureOf(failed.reason);
  const since = 'id' in selection ? '' : ` with --since ${left[0]?.receivedTime}`;
  return `${why}\n${count(left.length)} left: the same command${since} goes on with them.`;
}

/** The message that another call to AWS would give for such an error. */
function failureOf(reason: string): string {
  const what = 'publish on the event bus';
  const error = Object.assign(new Error(reason), { name: reason });
  return awsFailure(what, error)?.message ?? `Can't ${what}: ${reason}`;
}

function isPublishable(record: Found): record is Publishable {
  return 'event' in record;
}

function isRefused(record: Found): boolean {
  return 'reason' in record && record.reason === 'refused';
}

function oneLine(record: Found): string {
  const what = isPublishable(record) ? record.event.detailType : record.reason;
  const detail = 'detail' in record ? `: ${record.detail}` : '';
  return `${what.padEnd(LONGEST_TYPE.length)}  ${isoTime(record.receivedTime)}  ${printable(record.id)}${detail}`;
}

/** People may have written a time that is none. */
function isoTime(time: number): string {
  const date = new Date(time);
  return Number.isNaN(date.getTime()) ? '-' : date.toISOString();
}

function count(n: number): string {
  return n.toLocaleString('en');
}
