import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { PutEventsRequestEntry, PutEventsResultEntry } from '@aws-sdk/client-eventbridge';
import { awsJsonServer, ServiceError } from './aws-json.ts';
import { LOCAL_AWS } from './dynamodb.ts';
import { listen, type Loopback } from './loopback.ts';

/** @see https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html */
export interface BusEvent {
  version: '0';
  id: string;
  'detail-type': string;
  source: string;
  account: string;
  time: string;
  region: string;
  resources: string[];
  detail: unknown;
}

export interface EventBus extends Loopback {
  /** Calls the listener for each event. Returns a function that ends this. */
  subscribe(listener: (event: BusEvent) => void): () => void;
  /** Answers with all further events, as Server-Sent Events. */
  serve(request: IncomingMessage, response: ServerResponse): void;
}

/** Interval of comments, because proxies and clients close an idle connection. */
const HEARTBEAT_MS = 15_000;

/** @see https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html */
const MAX_ENTRIES = 10;
const MAX_CALL_BYTES = 256 * 1024;

/**
 * Starts a local EventBridge with the only operation that the publisher calls, and with listeners instead of rules.
 *
 * @param names Names of the event buses.
 * @see https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html
 */
export async function startEventBus(names: readonly string[]): Promise<EventBus> {
  const listeners = new Set<(event: BusEvent) => void>();
  const subscribe: EventBus['subscribe'] = (listener) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  };

  function put(entry: PutEventsRequestEntry): PutEventsResultEntry {
    const { EventBusName = '', Source, DetailType, Detail } = entry;
    if (!names.includes(EventBusName)) return failure('ResourceNotFoundException', `there is no bus ${EventBusName}`);
    if (!Source || !DetailType || !Detail) return failure('InvalidArgument', 'a required parameter is missing');
    const detail = parseObject(Detail);
    if (detail === undefined) return failure('MalformedDetail', 'Detail is malformed.');
    const event: BusEvent = {
      version: '0',
      id: randomUUID(),
      'detail-type': DetailType,
      source: Source,
      account: '000000000000',
      time: `${new Date().toISOString().slice(0, 19)}Z`,
      region: LOCAL_AWS.AWS_REGION,
      resources: [],
      detail,
    };
    for (const listener of listeners) listener(event);
    return { EventId: event.id };
  }

  const server = awsJsonServer({
    'AWSEvents.PutEvents': (input) => {
      const { Entries = [] } = input as { Entries?: PutEventsRequestEntry[] };
      if (Entries.length === 0 || Entries.length > MAX_ENTRIES) {
        throw new ServiceError('ValidationException', `a call has 1 to ${MAX_ENTRIES} entries`);
      }
      if (Entries.reduce((bytes, entry) => bytes + byteLength(entry), 0) >= MAX_CALL_BYTES) {
        throw new ServiceError('ValidationException', 'Total size of the entries in the request is over the limit.');
      }
      const results = Entries.map(put);
      return { FailedEntryCount: results.filter(({ ErrorCode }) => ErrorCode).length, Entries: results };
    },
  });
  return {
    ...(await listen(server, 0)),
    subscribe,
    serve(request, response) {
      response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
      response.write(': all further events\n\n');
      // JSON.stringify writes no line breaks, so each event is a single data line.
      const unsubscribe = subscribe((event) => response.write(`id: ${event.id}\ndata: ${JSON.stringify(event)}\n\n`));
      const heartbeat = setInterval(() => response.write(':\n\n'), HEARTBEAT_MS);
      response.on('close', () => {
        unsubscribe();
        clearInterval(heartbeat);
      });
      request.resume();
    },
  };
}

const failure = (ErrorCode: string, ErrorMessage: string): PutEventsResultEntry => ({ ErrorCode, ErrorMessage });

function byteLength({ Source = '', DetailType = '', Detail = '' }: PutEventsRequestEntry): number {
  return Buffer.byteLength(Source + DetailType + Detail);
}

function parseObject(json: string): object | undefined {
  try {
    const value: unknown = JSON.parse(json);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
