import { fork, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import type { Answer, Invocation } from './instance.ts';

export interface FunctionSpec {
  /** The bundle's entry. */
  file: string;
  handlerName: string;
  /** By the function's own clock: see {@link FunctionOptions.timeScale}. */
  timeoutMs: number;
  environment: Readonly<Record<string, string>>;
}

export interface LocalFunction {
  /**
   * Runs the function once.
   *
   * @param onStart is told when an instance begins with it.
   * @throws Throttled where too many invocations wait already.
   * @throws where the function is stopped.
   * @throws where the function throws, dies or takes longer than its timeout.
   */
  invoke(event: unknown, onStart?: () => void): Promise<unknown>;
  /** Ends all instances. @returns once their processes have ended. */
  stop(): Promise<void>;
  /** Replaces all instances by a new one, and waits until its init is over. */
  restart(): Promise<void>;
  /** Ends all instances in the middle of what they do, as a machine that fails. */
  kill(): void;
}

/** Maximum number of instances of a function. Each is a process of 35 MB. */
export const MAX_INSTANCES = 4;
/** Maximum number of invocations that wait for an instance: as many as `npm run send` can post at a time. */
const MAX_WAITING = 1_000;

/** The invocation did not take place: too many wait. */
export class Throttled extends Error {}

const stoppedError = () => new Error('the function is stopped');

type Instance = ReturnType<typeof startInstance>;

interface Waiting {
  event: unknown;
  onStart: () => void;
  outcome: PromiseWithResolvers<unknown>;
}

export interface FunctionOptions {
  /** Receives everything that the function prints. Default: standard output. */
  log?: Writable;
  maxInstances?: number;
  /**
   * How many times slower the function's timers run. With 4, a limit of 275 ms is one of 1,100 ms. Tests use it so that a
   * slow or busy machine keeps the function's limits. Default: 1.
   */
  timeScale?: number;
}

/**
 * Runs a function in processes of their own, which see the given environment and nothing else of ours.
 * As in Lambda, an instance has one invocation at a time, and one that dies or runs into its timeout is replaced when the
 * next invocation needs it. Unlike Lambda, an invocation waits for a free instance when all of them are busy.
 *
 * @throws where the function's init fails.
 */
export async function startFunction(
  spec: FunctionSpec,
  { log = process.stdout, maxInstances = MAX_INSTANCES, timeScale = 1 }: FunctionOptions = {},
): Promise<LocalFunction> {
  const instances = new Set<Instance>();
  /** The instance that was used last comes first. */
  const idle: Instance[] = [];
  const waiting: Waiting[] = [];
  let isStarting = false;
  let isStopped = false;

  async function add(): Promise<void> {
    const instance = startInstance(spec, timeScale, log, () => {
      instances.delete(instance);
      if (idle.includes(instance)) idle.splice(idle.indexOf(instance), 1);
      work();
    });
    instances.add(instance);
    await instance.ready;
    release(instance);
  }

  function release(instance: Instance): void {
    if (instances.has(instance)) idle.push(instance);
    work();
  }

  /** Hands waiting invocations to idle instances, and starts another instance while there are too few. */
  function work(): void {
    while (waiting.length > 0 && idle.length > 0) void runOn(idle.pop()!, waiting.shift()!);
    if (waiting.length > 0 && !isStarting && !isStopped && instances.size < maxInstances) startAnother();
  }

  function startAnother(): void {
    isStarting = true;
    add()
      // As in Lambda, the invocation that an instance is started for fails where its init does.
      .catch((error) => waiting.shift()?.outcome.reject(error))
      .finally(() => {
        isStarting = false;
        work();
      });
  }

  async function runOn(instance: Instance, { event, onStart, outcome }: Waiting): Promise<void> {
    onStart();
    try {
      outcome.resolve(await instance.invoke(event));
    } catch (error) {
      outcome.reject(error);
    }
    release(instance);
  }

  /** @returns the processes' ends. */
  function kill(): Promise<unknown> {
    const ends = [...instances].map((instance) => {
      instance.kill();
      return instance.ended;
    });
    instances.clear();
    idle.splice(0);
    return Promise.all(ends);
  }

  await add();
  return {
    invoke(event, onStart = () => {}) {
      if (isStopped) return Promise.reject(stoppedError());
      if (waiting.length >= MAX_WAITING)
        return Promise.reject(new Throttled(`${MAX_WAITING} invocations wait already`));
      const outcome = Promise.withResolvers<unknown>();
      waiting.push({ event, onStart, outcome });
      work();
      return outcome.promise;
    },
    kill: () => void kill(),
    async stop() {
      isStopped = true;
      for (const { outcome } of waiting.splice(0)) outcome.reject(stoppedError());
      await kill();
    },
    async restart() {
      await kill();
      await add();
    },
  };
}

/** @param onEnd is called when the instance has ended, perhaps more than once. */
function startInstance(
  { file, handlerName, timeoutMs, environment }: FunctionSpec,
  timeScale: number,
  log: Writable,
  onEnd: () => void,
) {
  const child: ChildProcess = fork(join(import.meta.dirname, 'instance.ts'), [file, handlerName, String(timeScale)], {
    env: environment,
    execArgv: [],
    silent: true,
  });
  for (const output of [child.stdout, child.stderr]) if (output) passLines(output, log); // none where it did not start
  const ready = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<void>();
  ready.promise.catch(() => {}); // whoever waits for it gets the error
  let invocation: PromiseWithResolvers<unknown> | undefined;

  child.on('message', (answer: Answer) => {
    if (answer === 'ready') ready.resolve();
    else if ('error' in answer) invocation?.reject(new Error(answer.error));
    else invocation?.resolve(answer.result);
  });
  const over = (error: Error) => {
    ready.reject(error);
    invocation?.reject(error);
    ended.resolve();
    onEnd();
  };
  child.on('error', over); // for a process that can't be started, no 'exit' comes
  child.on('exit', (code, signal) => {
    const error = new Error(`the function's process ended (${signal ?? `exit code ${code}`})`);
    if (invocation !== undefined) log.write(`${error.message}\n`);
    over(error);
  });

  return {
    ready: ready.promise,
    ended: ended.promise,
    kill: () => child.kill('SIGKILL'),
    /** Takes one invocation at a time. */
    async invoke(event: unknown): Promise<unknown> {
      invocation = Promise.withResolvers<unknown>();
      const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs * timeScale);
      try {
        child.send({ event, context: { awsRequestId: randomUUID() } } satisfies Invocation, (error) => {
          if (error !== null) invocation?.reject(error);
        });
        return await invocation.promise;
      } finally {
        clearTimeout(timer);
        invocation = undefined;
      }
    },
  };
}

/** Passes whole lines on: those of several processes must not mix. */
function passLines(from: Readable, to: Writable): void {
  let rest = '';
  const pass = (text: string) => text !== '' && to.write(text);
  from.setEncoding('utf8').on('data', (chunk: string) => {
    const text = rest + chunk;
    const end = text.lastIndexOf('\n') + 1;
    rest = text.slice(end);
    pass(text.slice(0, end));
  });
  from.on('end', () => pass(rest));
}
