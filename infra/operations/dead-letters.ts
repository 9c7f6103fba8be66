import { isUtf8 } from 'node:buffer';
import { SQSClient } from '@aws-sdk/client-sqs';
import { callbackCommand, field } from '../../lambda/delivery.ts';
import { Failure, run, UsageError } from '../local/command-line.ts';
import { deadLetterQueue, type DeadLetter, type DeadLetterQueue } from './dead-letter-queue.ts';
import { DEPLOYMENT_OPTIONS, DEPLOYMENT_USAGE, findDeployment } from './deployed-stack.ts';
import { confirm, endProgress, printable, printableJson, progress, untilInterrupted } from './terminal.ts';

const USAGE = `Looks at the deliveries that were kept for people: refused although genuine, or not stored in 8.5 hours.

Usage: npm run dead-letters -- list (--stack NAME | --local) [options]
       npm run dead-letters -- show ID (--stack NAME | --local) [options]
       npm run dead-letters -- replay (ID | --all) (--stack NAME | --local)
       npm run dead-letters -- drop ID [--yes] (--stack NAME | --local)

  list             one line a message: ID, time of receipt, age, reason, command, official account
  show ID          the whole message, its body decoded
  replay ID        sends it to the parking queue, from which it is received once more, without the checks of its sender;
                   one that still can't be stored comes back
  replay --all     the same with all that lie there now
  drop ID          deletes it for good, after a question; --yes leaves that out

${DEPLOYMENT_USAGE}
  --json           prints JSON
  -h, --help       prints this

While a message is looked at, others don't see it; at the end it is released. A message is deleted only after SQS has said
that the parking queue has it: interrupted, one may be in both queues, which does no harm.
Needs the rights cloudformation:DescribeStacks, lambda:GetFunctionConfiguration and, on the dead-letter queue,
sqs:ReceiveMessage and sqs:ChangeMessageVisibility; to replay or drop, sqs:DeleteMessage; to replay, sqs:SendMessage on the
parking queue.
Exit code 0; 1 where it failed, or left a message that it was to replay; 2 where the options make no sense.

Examples:
  npm run dead-letters -- list --stack TencentChatWebhook
  npm run dead-letters -- replay --all --stack TencentChatWebhook`;

const MAY_HAVE_MORE =
  'There may be more: the look took longer than the minute for which a message is hidden. Do the same again.';

const NOT_UNDERSTOOD =
  'This version of the software does not understand the message, so that it would only come back: look at it with show';

class Interrupted extends Failure {
  constructor(what = 'nothing was changed') {
    super(`Interrupted: ${what}`);
  }
}

await run(
  USAGE,
  {
    ...DEPLOYMENT_OPTIONS,
    all: { type: 'boolean', default: false },
    yes: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
  async ({ all, yes, json: isJson, ...options }, [action = '', id, ...others]) => {
    if (!['list', 'show', 'replay', 'drop'].includes(action) || others.length > 0) {
      throw new UsageError('say list, show ID, replay ID or drop ID');
    }
    if (all && action !== 'replay') throw new UsageError('--all is for replay alone');
    if (isJson && action !== 'list' && action !== 'show') throw new UsageError('--json is for list and show alone');
    if (yes && action !== 'drop') throw new UsageError('--yes is for drop alone');
    const wantsId = action !== 'list' && !all;
    if (wantsId !== (id !== undefined)) {
      throw new UsageError(wantsId ? `${action} wants the ID of a message, as list shows it` : 'this takes no ID');
    }
    const { name, config, clientSettings } = await findDeployment(options);
    const client = new SQSClient(clientSettings('SQS'));
    const queue = deadLetterQueue(client, config);
    const signal = untilInterrupted();
    try {
      if (id === undefined) {
        await (all ? replayAll(queue, name, signal) : list(queue, name, isJson, signal));
        if (queue.mayHaveMore()) throw new Failure(MAY_HAVE_MORE);
      } else {
        const letter = await find(queue, id, name, signal);
        if (action === 'show') show(letter, isJson);
        else if (action === 'replay') await replayOne(queue, letter);
        else if (yes) await drop(queue, letter);
        else await askAndDrop(queue, letter, name, signal);
      }
    } finally {
      // Where even this fails, they are visible again a minute after they were received.
      await queue.release().catch(() => {});
      endProgress();
      client.destroy();
    }
  },
);

async function list(queue: DeadLetterQueue, name: string, isJson: boolean, signal: AbortSignal): Promise<void> {
  const letters: DeadLetter[] = [];
  for await (const page of queue.all()) {
    letters.push(...page);
    progress(`${letters.length} so far`);
    if (signal.aborted) throw new Interrupted();
  }
  endProgress();
  const rows = letters.map(summary).toSorted((a, b) => (a.receivedTime ?? '').localeCompare(b.receivedTime ?? ''));
  if (isJson) return console.log(printableJson(rows));
  if (rows.length === 0) return console.log(`There are no dead letters in ${name}.`);
  const table = rows.map(({ id, receivedTime, ageSeconds, reason, field: wrongField, command, officialAccountId }) => [
    id,
    receivedTime ?? '-',
    ageSeconds === undefined ? '-' : age(ageSeconds),
    reason + (wrongField === undefined ? '' : ` (${wrongField})`),
    command ?? '-',
    officialAccountId ?? '-',
  ]);
  console.log(columns([['ID', 'RECEIVED', 'AGE', 'REASON', 'COMMAND', 'OFFICIAL ACCOUNT'], ...table]));
}

async function find(queue: DeadLetterQueue, id: string, name: string, signal: AbortSignal): Promise<DeadLetter> {
  for await (const page of queue.all()) {
    const found = page.find((letter) => letter.id === id);
    if (found !== undefined) return found;
    if (signal.aborted) throw new Interrupted();
  }
  throw new Failure(
    queue.mayHaveMore()
      ? `The dead letter ${printable(id)} was not found in ${name}. ${MAY_HAVE_MORE}`
      : `There is no dead letter ${printable(id)} in ${name}. If somebody else looks at it, try again in a minute.`,
  );
}

function show(letter: DeadLetter, isJson: boolean): void {
  const { delivery, ...rest } = { ...summary(letter), delivery: letter.delivery };
  const content =
    delivery === undefined
      ? { message: letter.text }
      : { query: delivery.query, ...bodyOf(Buffer.from(delivery.body, 'base64')) };
  if (isJson) return console.log(printableJson({ ...rest, ...content }));
  const lines = Object.entries({ ...rest, ...content }).filter(([, value]) => value !== undefined);
  for (const [key, value] of lines) {
    const shown = typeof value === 'object' ? printableJson(value) : printable(String(value));
    console.log(`${key}: ${shown}`);
  }
}

/** The body as it can be shown best. It need be neither JSON nor text. */
function bodyOf(bytes: Buffer): { body: unknown } | { bodyBase64: string } {
  if (!isUtf8(bytes)) return { bodyBase64: bytes.toString('base64') };
  return { body: parsed(bytes) ?? bytes.toString() };
}

async function replayOne(queue: DeadLetterQueue, letter: DeadLetter): Promise<void> {
  if (letter.delivery === undefined) throw new Failure(NOT_UNDERSTOOD);
  await queue.replay(letter);
  console.log(`Sent on: ${oneLine(letter)}`);
}

async function replayAll(queue: DeadLetterQueue, name: string, signal: AbortSignal): Promise<void> {
  const sent = new Set<string>();
  let count = 0;
  const left = { back: 0, notUnderstood: 0 };
  const othersStay = () => `${count} sent on, the others are where they were`;
  const leave = (letter: DeadLetter, why: keyof typeof left) => {
    left[why] += 1;
    console.log(`Left:    ${oneLine(letter)}`);
  };
  for await (const page of queue.all()) {
    for (const letter of page) {
      if (signal.aborted) throw new Interrupted(othersStay());
      // What still can't be stored comes back while this goes on.
      if (sent.has(letter.text)) leave(letter, 'back');
      else if (letter.delivery === undefined) leave(letter, 'notUnderstood');
      else {
        await queue.replay(letter).catch((error) => {
          throw error instanceof Failure ? new Failure(`${error.message}\n${othersStay()}`, { cause: error }) : error;
        });
        sent.add(letter.text);
        count += 1;
        console.log(`Sent on: ${oneLine(letter)}`);
      }
    }
  }
  const { back, notUnderstood } = left;
  const parts = [
    `${count} sent on in ${name}`,
    ...(back > 0 ? [`${back} left that came back, or lay there twice`] : []),
    ...(notUnderstood > 0 ? [`${notUnderstood} left that this version of the software does not understand`] : []),
  ];
  console.log(`${parts.join(', ')}.`);
  if (back + notUnderstood > 0) process.exitCode = 1;
}

/** Asks, and takes the message out anew: SQS may say OK to a receipt that is older than a minute, and keep the message. */
async function askAndDrop(
  queue: DeadLetterQueue,
  letter: DeadLetter,
  name: string,
  signal: AbortSignal,
): Promise<void> {
  await queue.release();
  if (!(await confirm(`${oneLine(letter)}\nThis deletes the only copy.`))) throw new Failure('Not dropped.');
  await drop(queue, await find(queue, letter.id, name, signal));
}

async function drop(queue: DeadLetterQueue, letter: DeadLetter): Promise<void> {
  await queue.drop(letter);
  console.log(`Dropped: ${oneLine(letter)}`);
}

/** What a message is about. Its texts are Chat's, or those of somebody who knows the token. */
function summary({ id, text, delivery }: DeadLetter) {
  if (delivery === undefined) return { id, reason: 'notUnderstood' as const, bytes: Buffer.byteLength(text) };
  const { reason, field: wrongField, requestId, receivedTime, query } = delivery;
  const body = parsed(Buffer.from(delivery.body, 'base64'));
  const shown = (value: unknown) =>
    value === undefined ? undefined : printable(typeof value === 'string' ? value : JSON.stringify(value));
  return {
    id,
    receivedTime: new Date(receivedTime).toISOString(),
    ageSeconds: Math.round((Date.now() - receivedTime) / 1000),
    reason,
    field: shown(wrongField),
    command: shown(callbackCommand({ query: query as { callbackCommand?: string }, body })),
    officialAccountId: shown(field(body, 'Official_Account')),
    requestId: printable(requestId),
  };
}

function oneLine(letter: DeadLetter): string {
  const { id, reason, command, officialAccountId } = { command: '-', officialAccountId: '-', ...summary(letter) };
  return [id, reason, command, officialAccountId].join('  ');
}

function parsed(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString());
  } catch {
    return undefined;
  }
}

function age(seconds: number): string {
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7_200) return `${Math.floor(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.floor(seconds / 3_600)} h` : `${Math.floor(seconds / 86_400)} d`;
}

function columns(rows: readonly string[][]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
