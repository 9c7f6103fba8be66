import { synthesizeOnce } from './assemblies.ts';
import { logLines } from './function-log.ts';
import { program } from './program.ts';
import { recordsOf } from './records.ts';
import { TIME_SCALE } from './time.ts';
import { until } from './until.ts';

export type LocalReceiver = Awaited<ReturnType<typeof whenServing>>;

/** Lengthens the functions' deadlines, for a busy machine. */
export const TIME_OPTIONS = ['--time-scale', String(Math.ceil(TIME_SCALE))];
/** Options of `npm start` in the tests: the stack that was synthesized once for all tests. */
export const LOCAL_OPTIONS = ['--app', synthesizeOnce({}), ...TIME_OPTIONS];

/** Runs `npm start` on a free port, without its own synthesis. @returns when it is ready. */
export const startLocalReceiver = (...args: string[]) =>
  whenServing(program('infra/local/main.ts', ['--port', '0', ...LOCAL_OPTIONS, ...args]));

/** Waits until a process of `npm start` is ready. */
export async function whenServing({ child, output, ended }: ReturnType<typeof program>) {
  const printed = (pattern: RegExp) => pattern.exec(output.stdout)?.[1];
  await Promise.race([
    until(() => printed(/(Serving\.)/)),
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
    inspectorUrl: printed(/Inspector: (\S+)/) ?? '',
    output,
    records: () => recordsOf(dynamoDbUrl, tableName),
    /** Returns the function's log lines, one per delivery. */
    log: () => logLines(output.stdout),
    stop,
    /** Stops it at the end of a test, even if the test fails. */
    [Symbol.asyncDispose]: async () => void (await stop()),
  };
}
