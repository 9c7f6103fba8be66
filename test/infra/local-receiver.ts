import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { ScanCommand } from '@aws-sdk/client-dynamodb';
import { unmarshall } from '@aws-sdk/util-dynamodb';
import { dynamoDbClient } from '../../infra/local/aws/dynamodb.ts';

export const ROOT = join(import.meta.dirname, '../..');

/** Runs one of the project's programs as a user does. */
export function program(file: string, args: readonly string[], env: Record<string, string> = {}) {
  return command(process.execPath, [join(ROOT, file), ...args], env);
}

/** Runs a command in the project's root, in a process group of its own. What a test leaves behind is ended with it. */
export function command(executable: string, args: readonly string[], env: Record<string, string> = {}) {
  // A developer may have exported the token of a deployed receiver.
  const { CHAT_WEBHOOK_TOKEN: _, ...inherited } = process.env;
  const child = spawn(executable, args, { cwd: ROOT, env: { ...inherited, ...env }, detached: true });
  const output = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk) => (output.stdout += chunk));
  child.stderr.on('data', (chunk) => (output.stderr += chunk));
  const running = {
    child,
    output,
    ended: once(child, 'close').then(([code]) => ({ code: code as number | null, ...output })),
  };
  const end = () => signalGroup(child, 'SIGKILL');
  process.once('exit', end);
  void running.ended.then(() => process.off('exit', end));
  return running;
}

/** To the command and all that it has started, as a terminal's Ctrl-C. */
export function signalGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  try {
    if (pid !== undefined) process.kill(-pid, signal);
  } catch {
    // It has ended.
  }
}

/** Waits for what a condition gives. */
export async function until<T>(
  condition: () => T | undefined | Promise<T | undefined>,
  milliseconds = 20_000,
): Promise<T> {
  const end = Date.now() + milliseconds;
  for (;;) {
    const value = await condition();
    if (value !== undefined) return value;
    if (Date.now() > end) throw new Error(`still not so after ${milliseconds} ms: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** The function's own lines in what was printed. */
export function logLines(printed: string): Record<string, any>[] {
  return printed
    .split('\n')
    .filter((line) => /^\{"level".*\}$/.test(line))
    .map((line) => JSON.parse(line));
}

/** What the functions log, kept from the test's own output. */
export function logKeeper() {
  const keeper = {
    text: '',
    stream: new Writable({
      write(chunk, _encoding, done) {
        keeper.text += chunk;
        done();
      },
    }),
    linesOf: (message: 'delivery' | 'redrive') => logLines(keeper.text).filter((line) => line['message'] === message),
    deliveryOf: (id: string) =>
      until(() => keeper.linesOf('delivery').find((line) => line['officialAccountId'] === id)),
  };
  return keeper;
}

/** `npm start`, on a free port, once it serves. */
export async function startLocalReceiver(...args: string[]) {
  const { child, output, ended } = program('infra/local/main.ts', ['--port', '0', ...args]);
  const printed = (pattern: RegExp) => pattern.exec(output.stdout)?.[1];
  await Promise.race([
    until(() => printed(/(Serving\.)/)),
    ended.then((end) => Promise.reject(new Error(`npm start ended: ${JSON.stringify(end)}`))),
  ]);
  const dynamoDbUrl = printed(/--endpoint-url (\S+)/) ?? '';
  const tableName = printed(/--table-name (\S+)/) ?? '';
  const client = dynamoDbClient(dynamoDbUrl);

  return {
    url: printed(/Listening on (\S+)/) ?? '',
    eventsUrl: printed(/curl -N (\S+)/) ?? '',
    output,
    async records(): Promise<Record<string, unknown>[]> {
      const { Items = [] } = await client.send(new ScanCommand({ TableName: tableName, ConsistentRead: true }));
      return Items.map((item) => unmarshall(item));
    },
    /** The lines that the function logged, one a delivery. */
    log: () => logLines(output.stdout),
    async stop(signal: NodeJS.Signals = 'SIGINT') {
      client.destroy();
      child.kill(signal);
      return ended;
    },
  };
}

export type LocalReceiver = Awaited<ReturnType<typeof startLocalReceiver>>;
