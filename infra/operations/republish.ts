import { DynamoDBClient, paginateQuery, type AttributeValue, type QueryCommandInput } from '@aws-sdk/client-dynamodb';
import { EventBridgeClient } from '@aws-sdk/client-eventbridge';
import { InvalidArgumentError, Option } from '@commander-js/extra-typings';
import { MAX_ENTRIES, putEvents } from '../../lambda/event-bus.ts';
import { MAX_KEY_BYTES, MIN_EVENT_TIME_MS, PUBLISH_LIMITS } from '../../lambda/limits.ts';
import { officialAccountCreated } from '../../lambda/commands/official-account-created.ts';
import { officialAccountDestroyed } from '../../lambda/commands/official-account-destroyed.ts';
import { imageOf, makeEvent, UnpublishableError, type PublishedEvent } from '../../lambda/official-account-event.ts';
import { awsClientSettings } from '../cli/aws-client.ts';
import { awsCallError, tryTo } from '../cli/aws-errors.ts';
import { run } from '../cli/command-line.ts';
import { createOperatorProgram, findDeployment, type DeployedStack } from '../cli/deployed-stack.ts';
import { OperationError, UsageError } from '../cli/errors.ts';
import { interruptionSignal, printable } from '../cli/terminal.ts';

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
      const deployment = await findDeployment(options);
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
type Selection = { id: string } | { since: number; until: number };

/** A record, with the event that it becomes or the reason why it is not published. */
interface Found {
  id: string;
  receivedTime: number;
  event?: PublishedEvent;
  reason?: 'creation not seen' | 'unpublishable';
  detail?: string;
}

/** Reads a record, and makes the event that describes its current state. */
function publicationOf(item: Record<string, AttributeValue>): Found {
  const id = item['officialAccountId']?.S ?? '';
  const receivedTime = Number(item['receivedTime']?.N);
  try {
    const image = imageOf(item);
    if (image['createdTime'] === undefined) return { id, receivedTime, reason: 'creation not seen' };
    const command = image['destroyedTime'] === undefined ? officialAccountCreated : officialAccountDestroyed;
    return { id, receivedTime, event: makeEvent(command, image) };
  } catch (error) {
    if (!(error instanceof UnpublishableError)) throw error;
    return { id, receivedTime, reason: 'unpublishable', detail: error.message };
  }
}

/** Reads the selected records of the app. @returns them in the order of their receivedTime. */
async function findRecords({ config }: DeployedStack, selection: Selection, signal: AbortSignal): Promise<Found[]> {
  const { tableName, sdkAppId } = config;
  const client = new DynamoDBClient(awsClientSettings());
  const found: Found[] = [];
  await tryTo('read the table', async () => {
    const query = { TableName: tableName, ConsistentRead: true, ...conditions(sdkAppId, selection) };
    for await (const { Items = [] } of paginateQuery({ client }, query)) {
      if (signal.aborted) throw new OperationError('Interrupted: nothing was published');
      found.push(...Items.map(publicationOf));
    }
  });
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
  const events = found.filter(({ event }) => event !== undefined);
  console.log(`${found.length} found in ${name}: ${events.length} would be published.`);
  if (found.some(isUnpublishable)) process.exitCode = 1;
}

/** Publishes the events, as many a call as EventBridge takes. Stops at an interruption or a failure. */
async function publish(
  found: readonly Found[],
  { name, eventBusName }: DeployedStack,
  selection: Selection,
  signal: AbortSignal,
): Promise<void> {
  const limits = { ...PUBLISH_LIMITS, attempts: 1 }; // putEvents retries by itself
  const client = new EventBridgeClient(awsClientSettings(limits));
  const notPublished = found.filter(({ event }) => event === undefined);
  const left = found.flatMap(({ event, ...record }) => (event === undefined ? [] : [{ event, record }]));
  const published: PublishedEvent[] = [];
  let failure: string | undefined;
  while (left.length > 0 && failure === undefined && !signal.aborted) {
    const batch = left.splice(0, MAX_ENTRIES);
    const events = batch.map(({ event }) => event);
    const results = await putEvents(client, eventBusName, events);
    for (const [n, result] of results.entries()) {
      const { event, record } = batch[n]!;
      if (result.outcome === 'published') published.push(event);
      else if (result.outcome === 'failed') failure ??= result.reason;
      else notPublished.push({ ...record, reason: 'unpublishable', detail: result.reason });
    }
    left.unshift(...batch.filter((_, n) => results[n]!.outcome === 'failed'));
    const { length } = published;
    if (length > 0 && length % 1_000 === 0) console.error(`${length} published, ${left.length} left`); // it takes minutes
  }
  for (const record of notPublished) console.log(oneLine(record));
  const destroyed = published.filter(({ detailType }) => detailType === LONGEST_TYPE).length;
  const unpublishable = notPublished.filter(isUnpublishable).length;
  console.log(
    `${found.length} found, ${published.length} published ` +
      `(${published.length - destroyed} as created, ${destroyed} as destroyed), ` +
      `${notPublished.length - unpublishable} whose creation has not been seen, ` +
      `${unpublishable} unpublishable in ${name}.`,
  );
  const [next] = left;
  if (next !== undefined) {
    const since = 'id' in selection ? '' : ` with --since ${next.record.receivedTime}`;
    const why = failure === undefined ? 'Interrupted' : busError(failure);
    console.error(`${why}\n${left.length} left: run the same command again${since}.`);
  }
  process.exitCode = next !== undefined || unpublishable > 0 ? 1 : 0;
}

/** Returns the message for the reason that the event bus gave. */
function busError(reason: string): string {
  const what = 'publish on the event bus';
  const error = Object.assign(new Error(reason), { name: reason });
  return awsCallError(what, error)?.message ?? `Can't ${what}: ${reason}`;
}

function isUnpublishable({ reason }: Found): boolean {
  return reason === 'unpublishable';
}

function oneLine({ id, receivedTime, event, reason, detail }: Found): string {
  const what = (event?.detailType ?? reason ?? '').padEnd(LONGEST_TYPE.length);
  const time = new Date(receivedTime).toJSON() ?? '-'; // somebody may have changed it by hand
  return `${what}  ${time}  ${printable(id)}${detail === undefined ? '' : `: ${detail}`}`;
}

if (import.meta.main) await run(republishProgram());
