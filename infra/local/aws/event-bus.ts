import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { LOCAL_AWS } from './dynamodb.ts';

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

export interface EventBus {
  put(entry: { source: string; detailType: string; detail: unknown }): void;
  /** @returns what ends it. */
  subscribe(listener: (event: BusEvent) => void): () => void;
  /** Answers with every event from now on, as Server-Sent Events. */
  serve(request: IncomingMessage, response: ServerResponse): void;
}

/** Proxies and clients give up on a connection that stays silent. */
const HEARTBEAT_MS = 15_000;

/** The counterpart of an event bus of EventBridge's: tells everybody who listens. */
export function startEventBus(): EventBus {
  const listeners = new Set<(event: BusEvent) => void>();
  const subscribe: EventBus['subscribe'] = (listener) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  };
  return {
    subscribe,
    put({ source, detailType, detail }) {
      const event: BusEvent = {
        version: '0',
        id: randomUUID(),
        'detail-type': detailType,
        source,
        account: '000000000000',
        time: `${new Date().toISOString().slice(0, 19)}Z`,
        region: LOCAL_AWS.AWS_REGION,
        resources: [],
        detail,
      };
      for (const listener of listeners) listener(event);
    },
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
