import { isUtf8 } from 'node:buffer';
import type { DynamoDBRecord } from 'aws-lambda';
import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import { unmarshall } from '@aws-sdk/util-dynamodb';
import { callbackCommand, field, readQuery, type Delivery } from '../../../lambda/delivery.ts';
import { MAX_BODY_BYTES } from '../../../lambda/limits.ts';
import { parseJson } from '../../cli/terminal.ts';
import type { BusEvent } from '../aws/event-bus.ts';
import type { Observer } from '../aws/gateway.ts';
import type { Item } from '../aws/stream.ts';
import type { InspectedDelivery, Json, News } from './protocol.ts';

/** Bounds of the history. The oldest deliveries are dropped first. */
const BOUNDS = { deliveries: 2_000, bytes: 64 * 1024 * 1024, events: 500 };
/** Maximum number of deliveries in one message to the page. */
const MAX_NEWS = 100;

export interface Kept {
  view: InspectedDelivery;
  /** Original body. Undefined if it exceeded API Gateway's limit. */
  body: Buffer | undefined;
  bytes: number;
  /** Position of the latest change in the order of all changes. */
  changed: number;
  /** Key of the record. */
  account: string | undefined;
}

export type History = ReturnType<typeof createHistory>;

/** Keeps the last deliveries, and collects what the parts of the deployment report about them. */
export function createHistory(bounds = BOUNDS) {
  const deliveries = new Map<string, Kept>();
  /** Deliveries whose processing has not ended. */
  const open = new Set<Kept>();
  const events: BusEvent[] = [];
  const listeners = new Set<() => void>();
  let [number, changes, bytes] = [0, 0, 0];

  /** Changes a delivery. @param added Size of the change: about its number of bytes. */
  function change(kept: Kept, update: Partial<InspectedDelivery>, added: number): void {
    Object.assign(kept.view, update);
    kept.changed = changes += 1;
    kept.bytes += added;
    if (deliveries.get(kept.view.id) === kept) bytes += added;
    for (const [id, oldest] of deliveries) {
      if (deliveries.size <= bounds.deliveries && bytes <= bounds.bytes) break;
      deliveries.delete(id);
      open.delete(oldest);
      bytes -= oldest.bytes;
    }
    for (const listener of listeners) listener();
  }

  const observe: Observer = (event, body) => {
    const start = performance.now();
    const { requestId: id, timeEpoch: time, http } = event.requestContext;
    const json: unknown = body && body.length <= MAX_BODY_BYTES ? parseJson(body.toString()) : undefined;
    const delivery = { ...event, body: json } as unknown as Delivery;
    readQuery({ event: delivery });
    const [command, officialAccountId] = [callbackCommand(delivery), field(json, 'Official_Account')].map((value) =>
      typeof value === 'string' ? value : undefined,
    );
    const account = officialAccountId && JSON.stringify([delivery.query.sdkAppId, officialAccountId]);
    number += 1;
    const shown = { body: viewOf(body), headers: requestHeaders(event), query: event.rawQueryString };
    const view = { number, id, time, sourceIp: http.sourceIp, command, officialAccountId, ...shown };
    const kept: Kept = { view, body, bytes: 0, changed: 0, account };
    deliveries.set(id, kept);
    open.add(kept);
    change(kept, {}, (body?.length ?? 0) + JSON.stringify(view).length);
    return ({ status, body: bytesOfReply }) => {
      if (status === 413) open.delete(kept); // the function does not run
      const reply = { status, body: bytesOfReply.toString(), ms: Math.round(performance.now() - start) };
      change(kept, { reply }, bytesOfReply.length);
    };
  };

  return {
    observe,
    /** Takes a line that a function has logged. */
    log(line: string): void {
      if (!/^\{.*"message":"(delivery|redrive)"/.test(line)) return;
      const entry = (parseJson(line) ?? {}) as Json;
      const kept = deliveries.get(String(entry['requestId']));
      if (kept === undefined) return;
      change(kept, entry['message'] === 'redrive' ? { redrive: entry } : { log: entry }, line.length);
      if (entry['outcome'] !== 'parked' && entry['outcome'] !== 'notStored') open.delete(kept);
    },
    /** Takes a change of the table. */
    recordChanged({ dynamodb: { Keys = {}, OldImage, NewImage } = {} }: DynamoDBRecord): void {
      const account = JSON.stringify([Keys['sdkAppId']?.S, Keys['officialAccountId']?.S]);
      for (const kept of open) {
        if (kept.account !== account) continue;
        // Of a parked delivery, only the last change before its end can be its own.
        const earlier = kept.view.log?.['outcome'] === 'parked' ? undefined : kept.view.record;
        const record = { before: earlier === undefined ? plain(OldImage) : earlier.before, after: plain(NewImage) };
        change(kept, { record }, JSON.stringify(record).length);
      }
    },
    /** Takes an event of the bus. */
    published(event: BusEvent): void {
      events.unshift(event);
      events.splice(bounds.events);
      const detail = event.detail as Json;
      const kept = [...deliveries.values()].findLast(({ view: { record, event: other } }) =>
        ['sdkAppId', 'officialAccountId', 'revision', 'eventTime'].every(
          (name) => other === undefined && record?.after?.[name] === detail[name],
        ),
      );
      if (kept !== undefined) change(kept, { event: event as unknown as Json }, JSON.stringify(event).length);
    },
    events: events as readonly BusEvent[],
    get: (id: string): Pick<Kept, 'view' | 'body'> | undefined => deliveries.get(id),
    /** Returns the first changes after a position, and the position after them. */
    since(position: number): News & { position: number; isComplete: boolean } {
      const changed = [...deliveries.values()].filter((kept) => kept.changed > position);
      const first = changed.toSorted((a, b) => a.changed - b.changed).slice(0, MAX_NEWS);
      const [oldest] = deliveries.values();
      return {
        deliveries: first.map(({ view }) => view),
        oldest: oldest?.view.number ?? number + 1,
        position: first.at(-1)?.changed ?? position,
        isComplete: first.length === changed.length,
      };
    },
    /** Calls a listener after each change. Returns a function that ends this. */
    subscribe(listener: () => void): () => void {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

function viewOf(body: Buffer | undefined): InspectedDelivery['body'] {
  if (body === undefined) return { text: '', bytes: 0, isTruncated: true };
  const shown = body.subarray(0, MAX_BODY_BYTES);
  const isTruncated = body.length > shown.length;
  const base64 = isTruncated || isUtf8(shown) ? undefined : shown.toString('base64');
  return { text: shown.toString(), bytes: body.length, isTruncated, ...(base64 !== undefined && { base64 }) };
}

/** Headers that the local API Gateway adds. */
const ADDED = new Set(['x-amzn-trace-id', 'x-forwarded-for', 'x-forwarded-port', 'x-forwarded-proto']);

function requestHeaders({ headers, cookies }: Parameters<Observer>[0]): Record<string, string> {
  const all = Object.entries({ ...headers, cookie: cookies?.join('; ') });
  return Object.fromEntries(all.flatMap(([name, value]) => (value && !ADDED.has(name) ? [[name, value]] : [])));
}

/** Converts an item of DynamoDB. A number that JavaScript cannot hold exactly becomes a text. */
export function plain(item: Item | Record<string, AttributeValue> | undefined): Json | undefined {
  const wrapNumbers = (text: string) => (String(Number(text)) === text ? Number(text) : text);
  return item && unmarshall(item as Record<string, AttributeValue>, { wrapNumbers });
}
