import { DynamoDBClient, paginateQuery, type AttributeValue, type QueryCommandInput } from '@aws-sdk/client-dynamodb';
import { EventBridgeClient } from '@aws-sdk/client-eventbridge';
import { InvalidArgumentError, Option } from '@commander-js/extra-typings';
import { MAX_ENTRIES, putEvents, type PutResult } from '../../lambda/event-bus.ts';
import { MAX_KEY_BYTES, MIN_EVENT_TIME_MS, PUBLISH_LIMITS } from '../../lambda/limits.ts';
import { officialAccountCreated } from '../../lambda/commands/official-account-created.ts';
import { officialAccountDestroyed } from '../../lambda/commands/official-account-destroyed.ts';
import { imageOf, makeEvent, UnpublishableError, type PublishedEvent } from '../../lambda/official-account-event.ts';
import { awsCallError, tryTo } from '../cli/aws-errors.ts';
import { run } from '../cli/command-line.ts';
import { createOperatorProgram, findDeployment, type DeployedStack } from '../cli/deployed-stack.ts';
import { OperationError, UsageError } from '../cli/errors.ts';
import { clearProgress, formatCount, interruptionSignal, printable, showProgress } from '../cli/terminal.ts';

export const republishProgram = () =>
  createOperatorProgram(
    'republish',
    'Publishes official accounts again, for systems that missed their events: one event a record, Destroyed for a ' +
      'destroyed account, Created for any other. An event that comes twice does no harm.',
  )
    .option('--since <time>', 'records whose receivedTime is this time or later', readTime)
    .option('--until <time>', 'with --since: records whose receivedTime is not later (default: now)', readTime)
    .addOption(
      new Option('--id <id>', 'the record of one official account').argParser(readId).conflicts(['since', 'until']),
    )
    .option('--dry-run', 'list the records and publish nothing')
    .addHelpText(
      'after',
      `
A time is written as 2026-11-28T10:00:00Z, as a day (2026-11-28), or in Unix milliseconds.
An event out of order does not change receivedTime, so that its record has the receivedTime of the newer event. A record
whose creation has not been seen is listed, and not published.
Records are published in the order of their receivedTime. After Ctrl-C, or if the event bus fails, the command prints
the --since with which to continue.
Needs the rights cloudformation:DescribeStacks, lambda:GetFunctionConfiguration and dynamodb:Query; without --dry-run also
events:PutEvents.
Exit code 0 if every record was published, except those whose creation has not been seen; 1 if one was not; 2 if the
options are wrong.

Examples:
  npm run republish -- --since 2026-11-28T10:00:00Z --until 2026-11-28T12:00:00Z --stack TencentChatWebhook --dry-run
  npm run republish -- --id '@TOA#_news' --stack TencentChatWebhook`,
    )
    .action(async ({ since, until, id, dryRun, ...options }) => {
      const selection = selectionOf(since, until, id);
      using deployment = await findDeployment(options);
      const signal = interruptionSignal();
      const found = await findRecords(deployment, selection, signal);
      if ('id' in selection && found.length === 0) {
        throw new OperationError(`There is no record of ${printable(selection.id)} in ${deployment.name}`);
      }
      if (dryRun) list(found, deployment);
      else await publish(found, deployment, selection, signal);
    });

/** A day, or a time with its zone: a time without one would depend on the machine. */
const ISO_TIME = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d))?$/;

function readTime(text: string): number {
  const time = ISO_TIME.test(text) ? Date.parse(text) : /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (time >= MIN_EVENT_TIME_MS && Number.isSafeInteger(time)) return time; // a smaller number is in seconds
  throw new InvalidArgumentError(
    'It must be a time such as 2026-11-28T10:00:00Z, a day such as 2026-11-28, or Unix milliseconds.',
  );
}

function readId(text: string): string {
  if (text !== '' && Buffer.byteLength(text) <= MAX_KEY_BYTES) return text;
  throw new InvalidArgumentError(`An ID has 1 to ${MAX_KEY_BYTES} bytes.`);
}

function selectionOf(since?: number, until?: number, id?: string): Selection {
  if (id !== undefined) return { id };
  if (since === undefined) throw new UsageError('give either --since <time> or --id <id>');
  if (since > (until ?? Date.now())) {
    throw new UsageError(`--since is later than ${until === undefined ? 'now' : '--until'}`);
  }
  return { since, until: until ?? Date.now() };
}

const LONGEST_TYPE = officialAccountDestroyed.event.schema.title;

/** The records to publish. Both times are part of the range. */
export type Selection = { id: string } | { since: number; until: number };

/** A record, with the event that it becomes or the reason why there is none. */
export type Found = { id: string; receivedTime: number } & (
  { event: PublishedEvent } | { reason: 'creation not seen' } | { reason: 'unpublishable'; detail: string }
);
type Publishable = Extract<Found, { event: PublishedEvent }>;

/** Returns the event that describes the current state of a record. */
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
    return { ...record, reason: 'unpublishable', detail: error.message };
  }
}

export interface RepublishOptions {
  events: readonly PublishedEvent[];
  put: (events: readonly PublishedEvent[]) => Promise<PutResult[]>;
  /** Stops after the call that is in progress. */
  signal: AbortSignal;
  /** Gets the number of events that are done. */
  onProgress: (done: number) => void;
}

/**
 * Publishes events, as many a call as EventBridge takes. Stops at an interruption or a failure.
 *
 * @returns the results of the events that were tried, in their order.
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

/** Reads the selected records of the app. @returns them in the order of their receivedTime. */
async function findRecords(deployment: DeployedStack, selection: Selection, signal: AbortSignal): Promise<Found[]> {
  const { tableName, sdkAppId } = deployment.config;
  const client = deployment.client('DYNAMODB', (settings) => new DynamoDBClient(settings));
  const found: Found[] = [];
  let read = 0;
  await tryTo('read the table', async () => {
    const query = { TableName: tableName, ConsistentRead: true, ...conditions(sdkAppId, selection) };
    for await (const { Items = [], ScannedCount = 0 } of paginateQuery({ client }, query)) {
      if (signal.aborted) throw new OperationError('Interrupted: nothing was published');
      found.push(...Items.map(publicationOf));
      read += ScannedCount;
      showProgress(`${formatCount(read)} records read, ${formatCount(found.length)} found`);
    }
  });
  clearProgress();
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
  console.log(`${formatCount(found.length)} found in ${name}: ${formatCount(events.length)} would be published.`);
  if (found.some(isUnpublishable)) process.exitCode = 1;
}

async function publish(
  found: readonly Found[],
  deployment: DeployedStack,
  selection: Selection,
  signal: AbortSignal,
): Promise<void> {
  const publishable = found.filter(isPublishable);
  const limits = { ...PUBLISH_LIMITS, attempts: 1 }; // putEvents retries by itself
  const client = deployment.client('EVENTBRIDGE', (settings) => new EventBridgeClient(settings), limits);
  const results = await republish({
    events: publishable.map(({ event }) => event),
    put: (events) => putEvents(client, deployment.eventBusName, events),
    signal,
    onProgress: (done) => showProgress(`${formatCount(done)} of ${formatCount(publishable.length)}`),
  });
  clearProgress();

  const rejectedByBus = publishable.flatMap(({ event: _, ...record }, n): Found[] => {
    const result = results[n];
    return result?.outcome === 'unpublishable' ? [{ ...record, reason: result.outcome, detail: result.reason }] : [];
  });
  const notPublished = [...found.filter((record) => !isPublishable(record)), ...rejectedByBus];
  for (const record of notPublished) console.log(oneLine(record));
  const published = publishable.filter((_record, n) => results[n]?.outcome === 'published');
  const left = publishable.filter((_record, n) => (results[n]?.outcome ?? 'failed') === 'failed');
  console.log(`${summary(found, published, notPublished)} in ${deployment.name}.`);
  if (left.length > 0) console.error(whyLeft(left, results, selection));
  process.exitCode = left.length > 0 || notPublished.some(isUnpublishable) ? 1 : 0;
}

function summary(found: readonly Found[], published: readonly Publishable[], notPublished: readonly Found[]): string {
  const destroyed = published.filter(({ event }) => event.detailType === officialAccountDestroyed.event.schema.title);
  const created = published.length - destroyed.length;
  const unpublishable = notPublished.filter(isUnpublishable).length;
  const creationNotSeen = notPublished.length - unpublishable;
  return (
    `${formatCount(found.length)} found, ${formatCount(published.length)} published (${formatCount(created)} as ` +
    `created, ${formatCount(destroyed.length)} as destroyed), ${formatCount(creationNotSeen)} whose creation has not ` +
    `been seen, ${formatCount(unpublishable)} unpublishable`
  );
}

function whyLeft(left: readonly Publishable[], results: readonly PutResult[], selection: Selection): string {
  const failed = results.find((result) => result.outcome === 'failed');
  const why = failed === undefined ? 'Interrupted' : busError(failed.reason);
  const since = 'id' in selection ? '' : ` with --since ${left[0]?.receivedTime}`;
  return `${why}\n${formatCount(left.length)} left: run the same command again${since}.`;
}

/** Returns the message for the reason that the event bus gave. */
function busError(reason: string): string {
  const what = 'publish on the event bus';
  const error = Object.assign(new Error(reason), { name: reason });
  return awsCallError(what, error)?.message ?? `Can't ${what}: ${reason}`;
}

function isPublishable(record: Found): record is Publishable {
  return 'event' in record;
}

function isUnpublishable(record: Found): boolean {
  return 'reason' in record && record.reason === 'unpublishable';
}

function oneLine(record: Found): string {
  const what = isPublishable(record) ? record.event.detailType : record.reason;
  const detail = 'detail' in record ? `: ${record.detail}` : '';
  return `${what.padEnd(LONGEST_TYPE.length)}  ${isoTime(record.receivedTime)}  ${printable(record.id)}${detail}`;
}

/** Formats a time of a record. Somebody may have changed it by hand into an invalid one. */
function isoTime(time: number): string {
  const date = new Date(time);
  return Number.isNaN(date.getTime()) ? '-' : date.toISOString();
}

if (import.meta.main) await run(republishProgram());
