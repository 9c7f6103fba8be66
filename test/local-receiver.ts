import { synthesizeOnce } from './assemblies.ts';
import { logLines } from './function-log.ts';
import { program } from './program.ts';
import { recordsOf } from './records.ts';
import { TIME_SCALE } from './time.ts';
import { until } from './until.ts';

export type LocalReceiver = Awaited<ReturnType<typeof startLocalReceiver>>;

/** Gives a busy machine time. */
const TIME_OPTIONS = ['--time-scale', String(Math.ceil(TIME_SCALE))];
/** What `npm start` gets in the tests: the stack that was synthesized for all of them. */
export const LOCAL_OPTIONS = ['--app', synthesizeOnce({}), ...TIME_OPTIONS];

/** Runs `npm start` on a free port, without a synthesis of its own. @returns once it serves. */
export const startLocalReceiver = (...args: string[]) => start([...LOCAL_OPTIONS, ...args]);

/** The same with the synthesis that `npm start` makes by default. */
export const startSynthesizing = () => start(TIME_OPTIONS);

async function start(args: readonly string[]) {
  const { child, output, ended } = program('infra/local/main.ts', ['--port', '0', ...args]);
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
    /** The lines that the function logged, one a delivery. */
    log: () => logLines(output.stdout),
    stop,
    /** For a test that starts one of its own: it may fail before it stops it. */
    [Symbol.asyncDispose]: async () => void (await stop()),
  };
}
