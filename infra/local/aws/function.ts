import { fork, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { Writable } from 'node:stream';
import type { Answer, Invocation } from './instance.ts';

export interface FunctionSpec {
  /** The bundle's entry. */
  file: string;
  handlerName: string;
  timeoutMs: number;
  environment: Readonly<Record<string, string>>;
}

export interface LocalFunction {
  /** @throws where the function throws, dies or takes longer than its timeout. */
  invoke(event: unknown): Promise<unknown>;
  stop(): void;
  /** Replaces the instance by a new one, and waits until its init is over. */
  restart(): Promise<void>;
  /** Ends the instance in the middle of what it does, as a machine that fails. */
  kill(): void;
}

/**
 * Runs a function in a process of its own, which sees the given environment and nothing else of ours.
 * As in Lambda, an instance that dies or runs into its timeout is replaced at the next invocation.
 * Unlike there, one instance takes any number of invocations at a time.
 *
 * @param log takes all that the function prints.
 * @throws where the function's init fails.
 */
export async function startFunction(spec: FunctionSpec, log: Writable = process.stdout): Promise<LocalFunction> {
  let instance = startInstance(spec, log);
  await instance.ready;
  return {
    async invoke(event) {
      if (instance.isOver()) instance = startInstance(spec, log);
      await instance.ready;
      return instance.invoke(event);
    },
    stop: () => instance.kill(),
    async restart() {
      instance.kill();
      instance = startInstance(spec, log);
      await instance.ready;
    },
    kill: () => instance.kill(),
  };
}

function startInstance({ file, handlerName, timeoutMs, environment }: FunctionSpec, log: Writable) {
  const child: ChildProcess = fork(join(import.meta.dirname, 'instance.ts'), [file, handlerName], {
    env: environment,
    execArgv: [],
    silent: true,
  });
  child.stdout?.pipe(log, { end: false });
  child.stderr?.pipe(log, { end: false });
  const waiting = new Map<number, PromiseWithResolvers<unknown>>();
  const ready = Promise.withResolvers<void>();
  ready.promise.catch(() => {}); // whoever waits for it gets the error
  let invocations = 0;
  let over: Error | undefined;

  child.on('message', (answer: Answer) => {
    if (answer === 'ready') return ready.resolve();
    const invocation = waiting.get(answer.id);
    if ('error' in answer) invocation?.reject(new Error(answer.error));
    else invocation?.resolve(answer.result);
  });
  child.on('error', () => {}); // 'exit' comes with it, and says the same to those who wait
  child.on('exit', (code, signal) => {
    over = new Error(`the function's process ended (${signal ?? `exit code ${code}`})`);
    ready.reject(over);
    if (waiting.size > 0) log.write(`${over.message}\n`);
    for (const { reject } of waiting.values()) reject(over);
  });

  return {
    ready: ready.promise,
    isOver: () => over !== undefined || !child.connected,
    kill: () => child.kill('SIGKILL'),
    async invoke(event: unknown): Promise<unknown> {
      const id = (invocations += 1);
      const invocation = Promise.withResolvers<unknown>();
      waiting.set(id, invocation);
      const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
      try {
        if (over !== undefined) throw over;
        child.send({ id, event, context: { awsRequestId: randomUUID() } } satisfies Invocation, (error) => {
          if (error !== null) invocation.reject(error);
        });
        return await invocation.promise;
      } finally {
        clearTimeout(timer);
        waiting.delete(id);
      }
    },
  };
}
