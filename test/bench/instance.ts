import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import type { Readable, Writable } from 'node:stream';
import type { Contestant } from './contestants.ts';
import type { Endpoint } from './endpoint.ts';
import { deliveryEvent } from './event.ts';

/** Wall milliseconds since Node's start; CPU time of all threads in microseconds. */
export interface Mark {
  ms: number;
  cpuUs: number;
}
export interface Delivered {
  start: Mark;
  end: Mark;
  peakBytes: number;
}
export interface DeliveredMany extends Delivered {
  /** Each delivery's wall time. */
  milliseconds: number[];
  /** On the heap, by all deliveries together. */
  allocatedBytes: number;
}

export interface Instance {
  pid: number;
  init: Mark;
  /** @throws where the reply is not OK, or the process dies. */
  deliver(): Promise<Delivered>;
  /** One after another, each after a pause. */
  deliverMany(count: number, pauseMs?: number): Promise<DeliveredMany>;
  /** @returns what the process wrote to stderr. */
  stop(): Promise<string>;
}

/** The memory size for which everything is measured that does not name another, and for which the cost is reckoned. */
export const MEMORY_MB = 512;

/** @see https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html "Defined runtime environment variables" */
const LAMBDA_ENVIRONMENT = {
  AWS_REGION: 'us-east-1',
  AWS_DEFAULT_REGION: 'us-east-1',
  AWS_ACCESS_KEY_ID: 'local',
  AWS_SECRET_ACCESS_KEY: 'local',
  AWS_SESSION_TOKEN: 'local',
  AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs24.x',
  AWS_LAMBDA_FUNCTION_NAME: 'bench',
  AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
  AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(MEMORY_MB),
  AWS_LAMBDA_INITIALIZATION_TYPE: 'on-demand',
  AWS_LAMBDA_LOG_GROUP_NAME: '/aws/lambda/bench',
  LAMBDA_TASK_ROOT: '/var/task',
  LANG: 'en_US.UTF-8',
  TZ: ':UTC',
  PATH: '/usr/bin:/bin',
};

/** The heap that Lambda's own start script leaves Node at that size, as far as is known: AWS has published only copies. */
const HEAP_LIMITS = ['--max-semi-space-size=25', '--max-old-space-size=461'];

const NODE = join(import.meta.dirname, '../../node_modules/node/bin/node');

/**
 * Starts a contestant in a Node of its own, with the environment that Lambda gives it, and waits for the end of init.
 * What it logs goes to /dev/null.
 *
 * @param wrapper a command in front of it, under which it is very slow.
 */
export async function startInstance(
  contestant: Contestant,
  endpoint: Endpoint,
  wrapper: readonly string[] = [],
): Promise<Instance> {
  const isSlow = wrapper.length > 0;
  const runner = [join(import.meta.dirname, 'runner.mjs'), contestant.file, contestant.handlerName];
  const [command = NODE, ...args] = [...wrapper, NODE, ...HEAP_LIMITS, ...runner, ...(isSlow ? ['slow-clock'] : [])];
  const child = spawn(command, args, {
    env: {
      ...LAMBDA_ENVIRONMENT,
      // FLOOR calls nobody: Node would begin to load certificates, and how far it comes before the end is chance.
      ...(contestant.name !== 'floor' && endpointVariables(endpoint)),
      ...withUrls(contestant.environment, endpoint),
    },
    stdio: ['ignore', 'ignore', 'pipe', 'pipe', 'pipe'],
  });
  const ended = once(child, 'exit');
  const stderr = text(child.stderr as Readable);
  const lines = createInterface(child.stdio[3] as Readable)[Symbol.asyncIterator]();
  const orders = child.stdio[4] as Writable;

  const nextReport = async () => {
    const { value, done } = await lines.next();
    if (done) throw new Error(`${contestant.name} ended: ${await stderr}`);
    return JSON.parse(value);
  };
  const order = async (count: number, pauseMs: number) => {
    orders.write(`${JSON.stringify({ event: deliveryEvent(), count, pauseMs })}\n`);
    const report = await nextReport();
    if (report.reply.includes('\\"OK\\"')) return report;
    child.kill('SIGKILL');
    await ended;
    throw new Error(`${contestant.name} replied ${report.reply}`);
  };
  const { end: init } = await nextReport();
  return {
    pid: child.pid ?? 0,
    init,
    deliver: () => order(1, 0),
    deliverMany: (count, pauseMs = 0) => order(count, pauseMs),
    async stop() {
      orders.end();
      await ended;
      return stderr;
    },
  };
}

function endpointVariables({ url, certificateFile }: Endpoint): Record<string, string> {
  return {
    AWS_ENDPOINT_URL_DYNAMODB: url,
    AWS_ENDPOINT_URL_SECRETS_MANAGER: url,
    AWS_ENDPOINT_URL_SQS: url,
    NODE_EXTRA_CA_CERTS: certificateFile,
  };
}

/** The template gives a queue's logical ID where AWS gives its URL. */
function withUrls(environment: Contestant['environment'], { url }: Endpoint): Record<string, string> {
  return Object.fromEntries(
    Object.entries(environment).map(([name, value]) => [
      name,
      name.endsWith('_QUEUE_URL') ? `${url}/000000000000/${value}` : value,
    ]),
  );
}
