import { createServer, type ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { startDynamoDb } from './dynamodb.ts';
import { listen, type Loopback } from './loopback.ts';
import { startSqs } from './sqs.ts';

/** Sends the request on to the service, and gives its answer to the response, if there is one. */
type Forward = (response?: ServerResponse) => Promise<void>;
type Behaviour = (response: ServerResponse, forward: Forward) => unknown;

/** What can be wrong with a service: each takes the place of its answer, or comes in its way. */
const FAULTS = {
  denies: (response) => answerError(response, 400, 'AccessDeniedException'),
  throttles: (response) => answerError(response, 400, 'ThrottlingException'),
  breaks: (response) => answerError(response, 500, 'InternalServerError'),
  hangs: () => {},
  'is slow': (response, forward) => setTimeout(() => forward(response), 100),
  'is too slow': (response, forward) => setTimeout(() => forward(response), 500),
  'cuts the connection': (response) => response.destroy(),
  'does it, then cuts the connection': async (response, forward) => {
    await forward();
    response.destroy();
  },
  'does it, then hangs': (_response, forward) => forward(),
  'sends half its answer': (response) => response.writeHead(200, { 'content-length': 100 }).write('{'),
  'answers nonsense': (response) => response.writeHead(200).end('<html>'),
} satisfies Record<string, Behaviour>;

export type Fault = keyof typeof FAULTS;
export const FAULT_NAMES = Object.keys(FAULTS) as Fault[];

/** A service of this machine with a switch. */
export interface Faulty {
  fault: Fault | undefined;
  /** How often it was called. */
  requests: number;
  /** Where the service itself is, past all faults. */
  serviceUrl: string;
}

/** An embedded DynamoDB that misbehaves as told. */
export function faultyDynamoDb(): Faulty & { start: typeof startDynamoDb } {
  const faulty: Faulty & { start: typeof startDynamoDb } = {
    fault: undefined,
    requests: 0,
    serviceUrl: '',
    start: async (...options) => inFrontOf(await startDynamoDb(...options), faulty),
  };
  return faulty;
}

/** Queues that misbehave as told, towards those who send; what is in them is not touched. */
export function faultySqs(): Faulty & { start: typeof startSqs } {
  const faulty: Faulty & { start: typeof startSqs } = {
    fault: undefined,
    requests: 0,
    serviceUrl: '',
    start: async (...options) => {
      const sqs = await startSqs(...options);
      const proxy = await inFrontOf(sqs, faulty);
      return { ...sqs, ...proxy, queueUrl: (name) => sqs.queueUrl(name).replace(sqs.url, proxy.url) };
    },
  };
  return faulty;
}

async function inFrontOf(service: Loopback, faulty: Faulty): Promise<Loopback> {
  faulty.serviceUrl = service.url;
  const server = createServer(async (request, response) => {
    const body = await buffer(request);
    const { host: _, connection: __, 'content-length': ___, ...headers } = request.headers as Record<string, string>;
    const forward: Forward = async (to) => {
      const answer = await fetch(service.url, { method: 'POST', headers, body });
      const content = Buffer.from(await answer.arrayBuffer());
      to?.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? '' }).end(content);
    };
    faulty.requests += 1;
    try {
      await (faulty.fault === undefined ? forward(response) : FAULTS[faulty.fault](response, forward));
    } catch {
      response.destroy(); // the service has gone
    }
  });
  const proxy = await listen(server, 0);
  return {
    url: proxy.url,
    close: async () => {
      await proxy.close();
      await service.close();
    },
  };
}

function answerError(response: ServerResponse, status: number, type: string): void {
  const body = JSON.stringify({ __type: `com.amazonaws.faulty#${type}`, message: 'told to' });
  response.writeHead(status, { 'content-type': 'application/x-amz-json-1.0' }).end(body);
}
