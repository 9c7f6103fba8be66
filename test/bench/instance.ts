import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { Readable } from 'node:stream';
import type { APIGatewayProxyStructuredResultV2 } from 'aws-lambda';
import type { Contestant } from './contestants.ts';
import { createCpuShare } from './cpu-share.ts';
import type { Endpoint } from './endpoint.ts';
import storedEvent from './event.json' with { type: 'json' };

/** Wall milliseconds since Node's start, and CPU microseconds of all threads. */
type Mark = { ms: number; cpuUs: number };
/** End of init, start and end of the measured deliveries, the last reply, and the median time of a delivery. */
type Report = { init: Mark; start: Mark; end: Mark; reply: string; medianMs: number; peakBytes: number };
interface RunOptions {
  deliveries?: number;
  /** Whether the delivery has another callback command, and the endpoint is the backend that answers it. */
  isForwarded?: boolean;
  /** Number of deliveries before those that are measured. */
  warmUp?: number;
  /** Memory size whose CPU share the process has after init. Without it, it has the whole machine. */
  memoryMb?: number | undefined;
  /** Command that runs Node and makes it slow. */
  wrapper?: readonly string[];
  /** Whether the deadlines of the contestant are much longer, because the process or the machine is slow. */
  isSlow?: boolean;
}

/** Memory size of the receiver. */
export const MEMORY_MB = 512;
/** Limits that Lambda's start script is known to set at that size. AWS does not document them. */
const HEAP_LIMITS = ['--max-semi-space-size=25', '--max-old-space-size=461'];
/** @see https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html "Defined runtime environment variables" */
const LAMBDA_ENVIRONMENT = {
  AWS_REGION: 'us-east-1',
  AWS_ACCESS_KEY_ID: 'local',
  AWS_SECRET_ACCESS_KEY: 'local',
  AWS_SESSION_TOKEN: 'local',
  AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs24.x',
  AWS_LAMBDA_FUNCTION_NAME: 'bench',
  AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(MEMORY_MB),
  AWS_LAMBDA_INITIALIZATION_TYPE: 'on-demand',
  LANG: 'en_US.UTF-8',
  TZ: ':UTC',
  PATH: '/usr/bin:/bin',
};
/** A command that the receiver does not handle. */
const FORWARDED_EVENT = JSON.stringify(storedEvent).replaceAll(
  'OfficialAccount.CallbackAfterCreateOfficialAccount',
  'C2C.CallbackBeforeSendMsg',
);
const NODE = join(import.meta.dirname, '../../node_modules/node/bin/node');

/**
 * Runs a contestant in a Node process of its own: init, then deliveries one at a time. Its log goes to /dev/null.
 *
 * @throws if a reply is not OK or a delivery was not stored, because the figures would be those of something else.
 */
export async function runInstance(contestant: Contestant, endpoint: Endpoint, options: RunOptions = {}) {
  const { name, file, handlerName } = contestant;
  const { deliveries = 1, warmUp = 0, isForwarded = false, memoryMb, wrapper = [] } = options;
  const { isSlow = wrapper.length > 0 } = options;
  const share = memoryMb === undefined ? undefined : createCpuShare(memoryMb);
  try {
    const event = isForwarded ? FORWARDED_EVENT : JSON.stringify(storedEvent);
    const work = { event, warmUp, deliveries, procsFile: share?.procsFile, isSlow };
    const runner = [join(import.meta.dirname, 'runner.mjs'), JSON.stringify({ file, handlerName, ...work })];
    const [command = NODE, ...args] = [...wrapper, NODE, ...HEAP_LIMITS, ...runner];
    const env = environmentOf(contestant, endpoint);
    const child = spawn(command, args, { env, stdio: ['ignore', 'ignore', 'pipe', 'pipe'] });
    const ended = new Promise((resolve) => child.once('close', resolve));
    const [json, stderr] = await Promise.all([text(child.stdio[3] as Readable), text(child.stderr as Readable), ended]);
    const requests = endpoint.takeRequests();
    if (json === '') throw new Error(`${name} ended: ${stderr}`);
    const report: Report = JSON.parse(json);
    const { body, isBase64Encoded } = JSON.parse(report.reply) as APIGatewayProxyStructuredResultV2;
    const replyBody = Buffer.from(body ?? '', isBase64Encoded ? 'base64' : 'utf8').toString();
    if (!replyBody.includes('"OK"')) throw new Error(`${name} replied ${report.reply}: ${stderr}`);
    const handled = requests[isForwarded ? 'POST /hook' : 'UpdateItem'] ?? 0;
    if (name !== 'floor' && (handled < warmUp + deliveries || 'SendMessage' in requests)) {
      throw new Error(`${name} made ${JSON.stringify(requests)} for ${warmUp + deliveries} deliveries`);
    }
    return { ...report, stderr, requests };
  } finally {
    share?.remove();
  }
}

function environmentOf({ name, environment }: Contestant, { url, certificateFile }: Endpoint): Record<string, string> {
  // FLOOR makes no request. With a certificate, Node would start to load it: how far it gets before the end is chance.
  if (name === 'floor') return LAMBDA_ENVIRONMENT;
  const services = ['DYNAMODB', 'SECRETS_MANAGER', 'SQS'].map((service) => [`AWS_ENDPOINT_URL_${service}`, url]);
  return {
    ...LAMBDA_ENVIRONMENT,
    NODE_EXTRA_CA_CERTS: certificateFile,
    ...Object.fromEntries(services),
    ...environment,
  };
}
