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
  /** @returns what ends it. */
  subscribe(listener: (event: BusEvent) => void): () => void;
  /** Answers with every event from now on, as Server-Sent Events. */
  serve(request: IncomingMessage, response: ServerResponse): void;
}

/** Proxies and clients give up on a connection that stays silent. */
const HEARTBEAT_MS = 15_000;

/** @see https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html */
const MAX_ENTRIES = 10;
const MAX_CALL_BYTES = 256 * 1024;

/**
 * The EventBridge call that the publisher makes, answered on this machine, and all who listen to the bus.
 *
 * @param names the names of the event buses.
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
    if (!names.includes(EventBusName)) return refused('ResourceNotFoundException', `there is no bus ${EventBusName}`);
    if (!Source || !DetailType || !Detail) return refused('InvalidArgument', 'a required parameter is missing');
    const detail = jsonObject(Detail);
    if (detail === undefined) return refused('MalformedDetail', 'Detail is malformed.');
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
      if (Entries.reduce((bytes, entry) => bytes + bytesOf(entry), 0) >= MAX_CALL_BYTES) {
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
      response.write(': every event from now on\n\n');
      // JSON has no line breaks of its own, so one data line holds an event whatever is in its names.
      const end = subscribe((event) => response.write(`id: ${event.id}\ndata: ${JSON.stringify(event)}\n\n`));
      const heartbeat = setInterval(() => response.write(':\n\n'), HEARTBEAT_MS);
      response.on('close', () => {
        end();
        clearInterval(heartbeat);
      });
      request.resume();
    },
  };
}

const refused = (ErrorCode: string, ErrorMessage: string): PutEventsResultEntry => ({ ErrorCode, ErrorMessage });

function bytesOf({ Source = '', DetailType = '', Detail = '' }: PutEventsRequestEntry): number {
  return Buffer.byteLength(Source + DetailType + Detail);
}

function jsonObject(json: string): object | undefined {
  try {
    const value: unknown = JSON.parse(json);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
