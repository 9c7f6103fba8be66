import { pathToFileURL } from 'node:url';

/**
 * One instance of a function, in a process of its own as in Lambda: node infra/local/aws/instance.ts FILE HANDLER TIME_SCALE
 *
 * Takes one invocation at a time from its parent and answers it; init is over when it has sent `ready`.
 */
export type Invocation = { event: unknown; context: unknown };
export type Answer = 'ready' | { result: unknown } | { error: string };

const [file = '', handlerName = '', timeScale = '1'] = process.argv.slice(2);
const answer = (message: Answer) => process.send?.(message);

process.on('SIGINT', () => {}); // Ctrl-C reaches the whole process group; the parent decides when to end
process.on('disconnect', () => process.exit());

if (timeScale !== '1') stretchTimers(Number(timeScale));
const { [handlerName]: handler } = await import(pathToFileURL(file).href);
process.on('message', async ({ event, context }: Invocation) => {
  try {
    answer({ result: await handler(event, context) });
  } catch (error) {
    console.error(error);
    answer({ error: String(error) });
  }
});
answer('ready');

/** Makes the timers of the function run slower. It does not touch the bundle, nor the clock (`Date`, `performance`). */
function stretchTimers(factor: number): void {
  const { setTimeout, setInterval } = globalThis;
  const { timeout } = AbortSignal;
  Object.assign(globalThis, {
    setTimeout: (callback: () => void, ms: number, ...args: []) => setTimeout(callback, ms * factor, ...args),
    setInterval: (callback: () => void, ms: number, ...args: []) => setInterval(callback, ms * factor, ...args),
  });
  AbortSignal.timeout = (ms) => timeout(ms * factor);
}
