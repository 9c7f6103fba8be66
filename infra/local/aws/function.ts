import { fork, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import type { Answer, Invocation } from './instance.ts';

export interface FunctionSpec {
  /** Path of the bundle. */
  file: string;
  handlerName: string;
  /** Timeout, multiplied by {@link FunctionOptions.timeScale}. */
  timeoutMs: number;
  environment: Readonly<Record<string, string>>;
}

export interface LocalFunction {
  /**
   * Runs the function once.
   *
   * @throws If the function is stopped, throws, crashes or exceeds its timeout.
   */
  invoke(event: unknown): Promise<unknown>;
  /** Ends all instances, and waits until their processes have ended. */
  stop(): Promise<void>;
  /** Replaces all instances with a new one, and waits for the end of its init. */
  restart(): Promise<void>;
  /** Ends all instances at once, like a machine that fails. */
  kill(): void;
}

/** Maximum number of instances of a function. Each is a process that uses 35 MB. */
const MAX_INSTANCES = 4;

const stoppedError = () => new Error('the function is stopped');

type Instance = ReturnType<typeof startInstance>;

interface Waiting {
  event: unknown;
  outcome: PromiseWithResolvers<unknown>;
}

export interface FunctionOptions {
  /** Receives the output of the function. Default: standard output. */
  log?: Writable;
  maxInstances?: number;
  /**
   * Factor by which the function's timers are slower: with 4, a deadline of 275 ms becomes 1,100 ms. Tests use it so
   * that the function keeps its deadlines on a slow or busy machine. Default: 1.
   */
  timeScale?: number;
}

/**
 * Starts a function with one instance. Each instance is a process that has only the given environment.
 *
 * As in Lambda, an instance handles one invocation at a time, and is replaced after a crash or a timeout. Unlike
 * Lambda, an invocation waits if all instances are busy.
 *
 * @throws If the function's init fails.
 */
export async function startFunction(
  spec: FunctionSpec,
  { log = process.stdout, maxInstances = MAX_INSTANCES, timeScale = 1 }: FunctionOptions = {},
): Promise<LocalFunction> {
  const instances = new Set<Instance>();
  /** Idle instances. The one that was used last is taken first. */
  const idle: Instance[] = [];
  const waiting: Waiting[] = [];
  let isStarting = false;
  let isStopped = false;

  async function add(): Promise<void> {
    const instance = startInstance(spec, timeScale, log, () => {
      instances.delete(instance);
      if (idle.includes(instance)) idle.splice(idle.indexOf(instance), 1);
      assign();
    });
    instances.add(instance);
    await instance.ready;
    release(instance);
  }

  function release(instance: Instance): void {
    if (instances.has(instance)) idle.push(instance);
    assign();
  }

  /** Gives waiting invocations to idle instances, and starts another instance if there are too few. */
  function assign(): void {
    while (waiting.length > 0 && idle.length > 0) void runOn(idle.pop()!, waiting.shift()!);
    if (waiting.length > 0 && !isStarting && !isStopped && instances.size < maxInstances) startAnother();
  }

  function startAnother(): void {
    isStarting = true;
    add()
      // As in Lambda, the first waiting invocation fails if the init of the new instance fails.
      .catch((error) => waiting.shift()?.outcome.reject(error))
      .finally(() => {
        isStarting = false;
        assign();
      });
  }

  async function runOn(instance: Instance, { event, outcome }: Waiting): Promise<void> {
    try {
      outcome.resolve(await instance.invoke(event));
    } catch (error) {
      outcome.reject(error);
    }
    release(instance);
  }

  /** Kills all instances. The result resolves when their processes have ended. */
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
    invoke(event) {
      if (isStopped) return Promise.reject(stoppedError());
      const outcome = Promise.withResolvers<unknown>();
      waiting.push({ event, outcome });
      assign();
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

/**
 * Starts an instance.
 *
 * @param onEnd Called when the instance has ended, possibly more than once.
 */
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
  for (const output of [child.stdout, child.stderr]) if (output) passLines(output, log);
  const ready = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<void>();
  ready.promise.catch(() => {}); // callers that wait for it get the error
  let invocation: PromiseWithResolvers<unknown> | undefined;

  child.on('message', (answer: Answer) => {
    if (answer === 'ready') ready.resolve();
    else if ('error' in answer) invocation?.reject(new Error(answer.error));
    else invocation?.resolve(answer.result);
  });
  const end = (error: Error) => {
    ready.reject(error);
    invocation?.reject(error);
    onEnd();
  };
  child.on('error', end); // the process can't be started
  child.on('close', () => ended.resolve()); // after its last output
  child.on('exit', (code, signal) => {
    const error = new Error(`the function's process ended (${signal ?? `exit code ${code}`})`);
    if (invocation !== undefined) log.write(`${error.message}\n`);
    end(error);
  });

  return {
    ready: ready.promise,
    ended: ended.promise,
    kill: () => child.kill('SIGKILL'),
    /** Runs one invocation. The caller must wait for it before the next one. */
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

/** Passes on complete lines, so that the lines of several processes do not mix. */
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
