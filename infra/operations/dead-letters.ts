import { isUtf8 } from 'node:buffer';
import { SQS } from '@aws-sdk/client-sqs';
import { callbackCommand, field } from '../../lambda/delivery.ts';
import { awsClientSettings } from '../cli/aws-client.ts';
import { run } from '../cli/command-line.ts';
import { createOperatorProgram, findDeployment, type DeploymentOptions } from '../cli/deployed-stack.ts';
import { OperationError } from '../cli/errors.ts';
import { confirm, interruptionSignal, parseJson, printable, printableJson } from '../cli/terminal.ts';
import { deadLetterQueue, type DeadLetter, type DeadLetterQueue } from './dead-letter-queue.ts';

const INCOMPLETE =
  'There may be more: reading took longer than the minute for which SQS hides a message. Run the command again.';

const UNKNOWN_FORMAT = 'This version of the software cannot read the message. See it with show.';

export function deadLettersProgram() {
  const program = createOperatorProgram(
    'dead-letters',
    'Shows, replays and deletes dead letters: authentic deliveries that were rejected, or not stored in 8.5 hours.',
  ).addHelpText(
    'afterAll',
    `
<id> is the ID of a message as list prints it. A command hides the messages that it reads from others, and releases them
at the end. Replay deletes a message only after SQS has confirmed its copy in the parking queue: after an interruption, a
message may be in both queues, which does no harm.
Needs the rights cloudformation:DescribeStacks, lambda:GetFunctionConfiguration and, on the dead-letter queue,
sqs:ReceiveMessage and sqs:ChangeMessageVisibility; for replay and drop also sqs:DeleteMessage; for replay also
sqs:SendMessage on the parking queue.
Exit code 1 if the command failed, or did not replay every message; 2 if the options are wrong.

Examples:
  npm run dead-letters -- list --stack TencentChatWebhook
  npm run dead-letters -- replay --all --stack TencentChatWebhook`,
  );
  program
    .command('list')
    .usage('[--json]')
    .description('print one line a message: ID, time of receipt, age, reason, command, official account')
    .option('--json', 'print JSON')
    .action(async (_options, command) => {
      const options = command.optsWithGlobals();
      await withQueue(options, (context) => list(context, options.json === true));
    });
  program
    .command('show <id>')
    .usage('<id> [--json]')
    .description('print a whole message, with its body decoded')
    .option('--json', 'print JSON')
    .action(async (id, _options, command) => {
      const options = command.optsWithGlobals();
      await withQueue(options, async (context) => show(await find(context, id), options.json === true));
    });
  program
    .command('replay [id]')
    .usage('(<id> | --all)')
    .description(
      'send a message to the parking queue, from which it is received again, without the checks of its sender; if it ' +
        'still cannot be stored, it comes back',
    )
    .option('--all', 'replay all messages')
    .action(async (id, _options, command) => {
      const options = command.optsWithGlobals();
      if ((id === undefined) !== (options.all === true)) command.error('error: give either an ID or --all');
      await withQueue(options, async (context) =>
        id === undefined ? replayAll(context) : replayOne(context.queue, await find(context, id)),
      );
    });
  program
    .command('drop <id>')
    .usage('<id> [--yes]')
    .description('delete a message for good, after a question')
    .option('--yes', 'do not ask')
    .action(async (id, _options, command) => {
      const options = command.optsWithGlobals();
      await withQueue(options, async (context) => {
        const letter = await find(context, id);
        await context.queue.drop(options.yes ? letter : await confirmed(context, letter));
        console.log(`Deleted: ${oneLine(letter)}`);
      });
    });
  return program;
}

interface Context {
  queue: DeadLetterQueue;
  /** The deployment, for messages. */
  name: string;
  signal: AbortSignal;
}

/** Opens the queue of the deployment. At the end, it releases all messages. */
async function withQueue(options: DeploymentOptions, act: (context: Context) => Promise<void>): Promise<void> {
  const { name, config } = await findDeployment(options);
  const queue = deadLetterQueue(new SQS(awsClientSettings()), config);
  try {
    await act({ queue, name, signal: interruptionSignal() });
  } finally {
    await queue.release();
  }
}

function checkInterruption(signal: AbortSignal, state = 'nothing was changed'): void {
  if (signal.aborted) throw new OperationError(`Interrupted: ${state}`);
}

async function list({ queue, name, signal }: Context, isJson: boolean): Promise<void> {
  const letters: DeadLetter[] = [];
  for await (const page of queue.all()) {
    letters.push(...page);
    checkInterruption(signal);
  }
  const rows = letters.map(summary).toSorted((a, b) => (a.receivedTime ?? '').localeCompare(b.receivedTime ?? ''));
  const table = rows.map(({ id, receivedTime, ageSeconds, reason, field: wrongField, command, officialAccountId }) => [
    id,
    receivedTime ?? '-',
    ageSeconds === undefined ? '-' : age(ageSeconds),
    reason + (wrongField === undefined ? '' : ` (${wrongField})`),
    command ?? '-',
    officialAccountId ?? '-',
  ]);
  if (isJson) console.log(printableJson(rows));
  else if (rows.length === 0) console.log(`There are no dead letters in ${name}.`);
  else console.log(columns([['ID', 'RECEIVED', 'AGE', 'REASON', 'COMMAND', 'OFFICIAL ACCOUNT'], ...table]));
  if (queue.mayHaveMore()) throw new OperationError(INCOMPLETE);
}

async function find({ queue, name, signal }: Context, id: string): Promise<DeadLetter> {
  for await (const page of queue.all()) {
    const found = page.find((letter) => letter.id === id);
    if (found !== undefined) return found;
    checkInterruption(signal);
  }
  throw new OperationError(
    queue.mayHaveMore()
      ? `The dead letter ${printable(id)} was not found in ${name}. ${INCOMPLETE}`
      : `There is no dead letter ${printable(id)} in ${name}. If another command is reading it, try again in a minute.`,
  );
}

function show(letter: DeadLetter, isJson: boolean): void {
  const { delivery, text } = letter;
  const content =
    delivery === undefined
      ? { message: text }
      : { query: delivery.query, ...bodyOf(Buffer.from(delivery.body, 'base64')) };
  const all = { ...summary(letter), ...content };
  if (isJson) return console.log(printableJson(all));
  for (const [key, value] of Object.entries(all)) {
    if (value === undefined) continue;
    console.log(`${key}: ${typeof value === 'object' ? printableJson(value) : printable(String(value))}`);
  }
}

/** Returns a body as JSON if possible, else as text, else in base64. */
function bodyOf(bytes: Buffer): { body: unknown } | { bodyBase64: string } {
  if (!isUtf8(bytes)) return { bodyBase64: bytes.toString('base64') };
  return { body: parseJson(bytes.toString()) ?? bytes.toString() };
}

async function replayOne(queue: DeadLetterQueue, letter: DeadLetter): Promise<void> {
  if (letter.delivery === undefined) throw new OperationError(UNKNOWN_FORMAT);
  await queue.replay(letter);
  console.log(`Replayed: ${oneLine(letter)}`);
}

async function replayAll({ queue, name, signal }: Context): Promise<void> {
  const replayed = new Set<string>();
  let left = 0;
  const state = () => `${replayed.size} replayed, the others are still in the queue`;
  const leave = (letter: DeadLetter, why: string) => {
    left += 1;
    console.log(`Left:     ${oneLine(letter)}  ${why}`);
  };
  for await (const page of queue.all()) {
    for (const letter of page) {
      checkInterruption(signal, state());
      // A message that still cannot be stored may come back during the command.
      if (replayed.has(letter.text)) leave(letter, 'It came back, or was there twice.');
      else if (letter.delivery === undefined) leave(letter, UNKNOWN_FORMAT);
      else {
        await replayOne(queue, letter).catch((error) => {
          if (!(error instanceof OperationError)) throw error;
          throw new OperationError(`${error.message}\n${state()}`, { cause: error });
        });
        replayed.add(letter.text);
      }
    }
  }
  console.log(`${replayed.size} replayed in ${name}, ${left} left.`);
  if (left > 0) process.exitCode = 1;
  if (queue.mayHaveMore()) throw new OperationError(INCOMPLETE);
}

/**
 * Asks whether to delete a message.
 *
 * @returns the message, received again: after a minute, SQS confirms a deletion by the old receipt without deleting.
 */
async function confirmed(context: Context, letter: DeadLetter): Promise<DeadLetter> {
  await context.queue.release();
  if (!(await confirm(`${oneLine(letter)}\nThis deletes the only copy.`))) throw new OperationError('Not deleted.');
  return find(context, letter.id);
}

/** Summarizes a message. Its texts are untrusted, because anyone with the token can send them. */
function summary({ id, text, delivery }: DeadLetter) {
  if (delivery === undefined) return { id, reason: 'notUnderstood' as const, bytes: Buffer.byteLength(text) };
  const { reason, field: wrongField, requestId, receivedTime, query } = delivery;
  const body = parseJson(Buffer.from(delivery.body, 'base64').toString());
  const safe = (value: unknown) =>
    value === undefined ? undefined : printable(typeof value === 'string' ? value : JSON.stringify(value));
  return {
    id,
    receivedTime: new Date(receivedTime).toISOString(),
    ageSeconds: Math.round((Date.now() - receivedTime) / 1000),
    reason,
    field: safe(wrongField),
    command: safe(callbackCommand({ query: query as { callbackCommand?: string }, body })),
    officialAccountId: safe(field(body, 'Official_Account')),
    requestId: printable(requestId),
  };
}

function oneLine(letter: DeadLetter): string {
  const { id, reason, command, officialAccountId } = { command: '-', officialAccountId: '-', ...summary(letter) };
  return [id, reason, command, officialAccountId].join('  ');
}

function age(seconds: number): string {
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7_200) return `${Math.floor(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.floor(seconds / 3_600)} h` : `${Math.floor(seconds / 86_400)} d`;
}

function columns(rows: readonly string[][]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const line = (row: string[]) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ');
  return rows.map((row) => line(row).trimEnd()).join('\n');
}

if (import.meta.main) await run(deadLettersProgram());
