import { pathToFileURL } from 'node:url';

// An instance of a function, as a process: node infra/local/aws/instance.ts FILE HANDLER TIME_SCALE
// It sends `ready` after its init, then answers one invocation of its parent at a time.

export type Invocation = { event: unknown; context: unknown };
export type Answer = 'ready' | { result: unknown } | { error: string };

const [file = '', handlerName = '', timeScale = '1'] = process.argv.slice(2);
const answer = (message: Answer) => process.send?.(message);

process.on('SIGINT', () => {}); // Ctrl-C reaches the whole process group, but the parent decides when to stop
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

/** Slows the function's timers down. The bundle and the clock (`Date`, `performance`) stay unchanged. */
function stretchTimers(factor: number): void {
  const { setTimeout, setInterval } = globalThis;
  const { timeout } = AbortSignal;
  Object.assign(globalThis, {
    setTimeout: (callback: () => void, ms: number, ...args: []) => setTimeout(callback, ms * factor, ...args),
    setInterval: (callback: () => void, ms: number, ...args: []) => setInterval(callback, ms * factor, ...args),
  });
  AbortSignal.timeout = (ms) => timeout(ms * factor);
}
