import { logLines } from './function-log.ts';
import { program } from './program.ts';
import { recordsOf } from './records.ts';
import { until } from './until.ts';

export type LocalReceiver = Awaited<ReturnType<typeof startLocalReceiver>>;

/** Runs `npm start` on a free port. @returns once it serves. */
export async function startLocalReceiver(...args: string[]) {
  const { child, output, ended } = program('infra/local/main.ts', ['--port', '0', ...args]);
  const printed = (pattern: RegExp) => pattern.exec(output.stdout)?.[1];
  await Promise.race([
    until(() => printed(/(Serving\.)/), 60_000), // synthesizing takes seconds of a CPU
    ended.then((end) => Promise.reject(new Error(`npm start ended: ${JSON.stringify(end)}`))),
  ]);
  const dynamoDbUrl = printed(/--endpoint-url (\S+)/) ?? '';
  const tableName = printed(/--table-name (\S+)/) ?? '';

  const stop = (signal: NodeJS.Signals = 'SIGINT') => {
    child.kill(signal);
    return ended;
  };
  return {
    url: printed(/Listening on (\S+)/) ?? '',
    dynamoDbUrl,
    tableName,
    eventsUrl: printed(/curl -N (\S+)/) ?? '',
    output,
    records: () => recordsOf(dynamoDbUrl, tableName),
    /** The lines that the function logged, one a delivery. */
    log: () => logLines(output.stdout),
    stop,
    /** For a test that starts one of its own: it may fail before it stops it. */
    [Symbol.asyncDispose]: async () => void (await stop()),
  };
}
