import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DynamoDBRecord } from 'aws-lambda';
import type { FunctionSpec } from './function.ts';

export interface StreamMappingSpec {
  /** The table whose stream it reads. */
  tableName: string;
  /** A record passes that one of these matches: the allowed values of each field. */
  patterns: Record<string, unknown[]>[];
  batchSize: number;
  bisectBatchOnError: boolean;
  reportBatchItemFailures: boolean;
  maxRecordAgeSeconds: number;
  /** The queue that gets a message about the records that are given up. */
  onFailureQueueName: string;
  consumer: FunctionSpec;
}

export interface StreamMapping {
  /** Takes the next record of the stream. */
  take(record: DynamoDBRecord): void;
  stop(): void;
}

export interface StreamMappingOptions {
  invoke(event: { Records: DynamoDBRecord[] }): Promise<unknown>;
  /** Puts a message into the queue for records that are given up. */
  onFailure(message: string): Promise<unknown>;
  /** How long a second of its clock takes, for the pauses and for the age of the records. */
  secondMs: number;
}

/** Lambda polls a stream four times a second; here the records are there at once. A pause makes them a batch. */
const POLL_MS = 20;
/** Lambda's pauses between attempts are not documented. */
const PAUSE_SECONDS = { first: 1, last: 60 };
/** The payload of an invocation. @see https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html */
const MAX_BATCH_BYTES = 6 * 1024 * 1024;

type Waiting = { record: DynamoDBRecord; time: number };

/**
 * The counterpart of Lambda's event source mapping on a DynamoDB stream of one shard, from its start:
 *
 * - One batch after another, in order. Records that no filter pattern matches do not get to the function.
 * - A batch with `batchItemFailures` is sent again from the lowest sequence number there on. An answer that names no record
 *   of the batch counts as an error.
 * - After an error, the batch is split into halves, or sent again where it is a single record.
 * - A record that is older than the maximum age is given up: a message holds its sequence number, but not the record.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
 * @see https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
 */
export function startStreamMapping(
  spec: Omit<StreamMappingSpec, 'consumer' | 'onFailureQueueName'>,
  { invoke, onFailure, secondMs }: StreamMappingOptions,
): StreamMapping {
  const waiting: Waiting[] = [];
  const over = new AbortController();
  let isBusy = false;

  async function work(): Promise<void> {
    if (isBusy) return;
    isBusy = true;
    while (waiting.length > 0 && !over.signal.aborted) {
      if (waiting.length < spec.batchSize) await sleep(POLL_MS);
      await processBatch(waiting.splice(0, nextBatchSize()));
    }
    isBusy = false;
  }

  function nextBatchSize(): number {
    let bytes = 0;
    const end = waiting
      .slice(0, spec.batchSize)
      .findIndex(({ record }) => (bytes += Buffer.byteLength(JSON.stringify(record))) > MAX_BATCH_BYTES);
    return end === -1 ? spec.batchSize : Math.max(1, end);
  }

  /** @returns once each record is processed or given up. */
  async function processBatch(batch: readonly Waiting[]): Promise<void> {
    let rest = batch;
    let attempts = 0;
    while (!over.signal.aborted) {
      rest = await withoutOld(rest, attempts);
      if (rest.length === 0) return;
      const failed = await firstFailed(rest);
      if (failed === rest.length) return;
      if (failed === 'all' && spec.bisectBatchOnError && rest.length > 1) {
        const middle = Math.ceil(rest.length / 2);
        await processBatch(rest.slice(0, middle));
        return processBatch(rest.slice(middle));
      }
      attempts = failed === 'all' || failed === 0 ? attempts + 1 : 1;
      if (failed !== 'all') rest = rest.slice(failed);
      const seconds = Math.min(PAUSE_SECONDS.first * 2 ** (attempts - 1), PAUSE_SECONDS.last);
      await sleep(seconds * secondMs, undefined, { ref: false });
    }
  }

  /** @returns the index of the first record that is to come again, or the number of records where none is. */
  async function firstFailed(batch: readonly Waiting[]): Promise<number | 'all'> {
    try {
      const answer = await invoke({ Records: batch.map(({ record }) => record) });
      const failures = (spec.reportBatchItemFailures && (answer as BatchResponse | null)?.batchItemFailures) || [];
      const indexes = failures.map(({ itemIdentifier }) =>
        batch.findIndex(({ record }) => record.dynamodb?.SequenceNumber === itemIdentifier),
      );
      return indexes.includes(-1) ? 'all' : Math.min(batch.length, ...indexes);
    } catch {
      return 'all'; // the function's log says why
    }
  }

  async function withoutOld(batch: readonly Waiting[], invokeCount: number): Promise<readonly Waiting[]> {
    const oldest = Date.now() - spec.maxRecordAgeSeconds * secondMs;
    const young = batch.findIndex(({ time }) => time >= oldest);
    const count = young === -1 ? batch.length : young;
    if (count === 0) return batch;
    try {
      await onFailure(toMessage(batch.slice(0, count), invokeCount));
      return batch.slice(count);
    } catch {
      return batch; // the function gets them again, and so does the queue
    }
  }

  return {
    take(record) {
      const passes = spec.patterns.some((pattern) =>
        Object.entries(pattern).every(([field, values]) => values.includes(record[field as keyof DynamoDBRecord])),
      );
      if (!passes) return;
      waiting.push({ record, time: Date.now() });
      void work();
    },
    stop: () => over.abort(),
  };
}

interface BatchResponse {
  batchItemFailures?: { itemIdentifier: string }[] | null;
}

/** @see https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html "Example" */
function toMessage(records: readonly Waiting[], invokeCount: number): string {
  const [first, last] = [records[0], records.at(-1)];
  const timeOf = (waiting: Waiting | undefined) => `${new Date(waiting?.time ?? 0).toISOString().slice(0, 19)}Z`;
  return JSON.stringify({
    requestContext: { requestId: randomUUID(), condition: 'RecordAgeExceeded', approximateInvokeCount: invokeCount },
    version: '1.0',
    timestamp: new Date().toISOString(),
    DDBStreamBatchInfo: {
      shardId: 'shardId-local',
      startSequenceNumber: first?.record.dynamodb?.SequenceNumber,
      endSequenceNumber: last?.record.dynamodb?.SequenceNumber,
      approximateArrivalOfFirstRecord: timeOf(first),
      approximateArrivalOfLastRecord: timeOf(last),
      batchSize: records.length,
    },
  });
}
