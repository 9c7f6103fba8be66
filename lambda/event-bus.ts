import { setTimeout as sleep } from 'node:timers/promises';
import { PutEventsCommand, type EventBridgeClient, type PutEventsRequestEntry } from '@aws-sdk/client-eventbridge';
import { EVENT_SOURCE } from './event-source.ts';
import { PUBLISH_LIMITS } from './limits.ts';
import { abortAtDeadline } from './sdk-client.ts';

/** An event that becomes an entry of `PutEvents`. */
export interface BusEvent {
  detailType: string;
  detail: object;
}

/** Result of an event. The reason never contains a value of the record. */
export type PutResult =
  | { outcome: 'published' }
  /** Permanent failure: EventBridge would reject the same event again. */
  | { outcome: 'unpublishable'; reason: string }
  /** Not published, or without an answer. A later attempt may succeed. */
  | { outcome: 'failed'; reason: string };

/** @see https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html "Request Parameters" */
export const MAX_ENTRIES = 10;
/** The total size of a call's entries must be below this limit. */
export const MAX_CALL_BYTES = 256 * 1024;

/**
 * Error codes of permanent failures. An entry with another code may succeed later. For example,
 * AccessDeniedException ends when the deployment is corrected.
 *
 * @see https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsResultEntry.html
 */
const PERMANENT_CODES: ReadonlySet<string> = new Set(['MalformedDetail', 'InvalidArgument']);

/** Pause before the second attempt. It doubles with each further attempt. */
const PAUSE_MS = 100;

interface Entry {
  /** Index of the event. */
  index: number;
  bytes: number;
  request: PutEventsRequestEntry;
}

/**
 * Publishes events call by call, with at most ten entries and less than 256 KB in each. Repeats entries that were not
 * published, up to three attempts. A repeated entry may come after later entries of its call.
 *
 * Stops if an entry fails all attempts, or after `PUBLISH_LIMITS.totalMs`. The remaining events then count as failed.
 * An event may be published twice, because a call without an answer may have succeeded.
 *
 * @param client must have one attempt, because its attempts multiply with those of this function.
 * @param eventBusName name or ARN of the event bus.
 * @returns the result of each event, in the same order. It never throws.
 * @see https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html
 */
export async function putEvents(
  client: EventBridgeClient,
  eventBusName: string,
  events: readonly BusEvent[],
): Promise<PutResult[]> {
  const results = events.map((): PutResult => ({ outcome: 'failed', reason: 'NotTried' }));
  const endTime = performance.now() + PUBLISH_LIMITS.totalMs;
  const entries = events.flatMap((event, index) => {
    const entry = toEntry(event, index, eventBusName);
    if (entry.bytes < MAX_CALL_BYTES) return [entry];
    results[index] = { outcome: 'unpublishable', reason: 'TooLarge' };
    return [];
  });

  for (const call of callsOf(entries)) {
    let pending = call;
    for (let attempt = 1; attempt <= PUBLISH_LIMITS.attempts && pending.length > 0; attempt += 1) {
      if (attempt > 1) await sleep(PAUSE_MS * 2 ** (attempt - 2));
      if (performance.now() > endTime) break;
      const answers = await put(client, pending);
      for (const [n, { index }] of pending.entries()) results[index] = answers[n]!;
      pending = pending.filter((_entry, n) => answers[n]!.outcome === 'failed');
    }
    if (pending.length > 0) break;
  }
  return results;
}

function toEntry({ detailType, detail }: BusEvent, index: number, eventBusName: string): Entry {
  const request = {
    EventBusName: eventBusName,
    Source: EVENT_SOURCE,
    DetailType: detailType,
    Detail: JSON.stringify(detail),
  };
  return { index, bytes: bytesOf(request), request };
}

/**
 * @see https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html "Calculating PutEvents event entry
 * size"
 */
function bytesOf({ Source = '', DetailType = '', Detail = '' }: PutEventsRequestEntry): number {
  return Buffer.byteLength(Source) + Buffer.byteLength(DetailType) + Buffer.byteLength(Detail);
}

/** Groups entries into calls, in the same order. */
function callsOf(entries: readonly Entry[]): Entry[][] {
  const calls: Entry[][] = [];
  let bytes = 0;
  for (const entry of entries) {
    const call = calls.at(-1);
    if (call !== undefined && call.length < MAX_ENTRIES && bytes + entry.bytes < MAX_CALL_BYTES) {
      call.push(entry);
      bytes += entry.bytes;
    } else {
      calls.push([entry]);
      bytes = entry.bytes;
    }
  }
  return calls;
}

const withDeadline = abortAtDeadline({ ...PUBLISH_LIMITS, totalMs: PUBLISH_LIMITS.attemptMs });

/** Makes one call and returns the result of each entry. */
async function put(client: EventBridgeClient, entries: readonly Entry[]): Promise<PutResult[]> {
  const command = new PutEventsCommand({ Entries: entries.map(({ request }) => request) });
  try {
    const { Entries = [] } = await withDeadline(({ options }) => client.send(command, options));
    return entries.map((_entry, n) => {
      const { EventId, ErrorCode } = Entries[n] ?? {};
      if (ErrorCode !== undefined) {
        return { outcome: PERMANENT_CODES.has(ErrorCode) ? 'unpublishable' : 'failed', reason: ErrorCode };
      }
      // An answer without an ID proves nothing, so the event is published again.
      return EventId === undefined ? { outcome: 'failed', reason: 'NoEventId' } : { outcome: 'published' };
    });
  } catch (error) {
    const { name, code } = error as Error & { code?: string };
    return entries.map(() => ({ outcome: 'failed', reason: name === 'Error' && code ? code : name }));
  }
}
