import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DynamoDBRecord } from 'aws-lambda';
import type { FunctionSpec } from './function.ts';

export interface StreamMappingSpec {
  /** The table whose stream the mapping reads. */
  tableName: string;
  /** Filters: each has the allowed values of fields. A record must match one of them. */
  patterns: Record<string, unknown[]>[];
  batchSize: number;
  bisectBatchOnError: boolean;
  reportBatchItemFailures: boolean;
  maxRecordAgeSeconds: number;
  /** The queue that gets a message about expired records. */
  onFailureQueueName: string;
  consumer: FunctionSpec;
}

export interface StreamMapping {
  /** Adds the next record of the stream. */
  add(record: DynamoDBRecord): void;
  stop(): void;
}

export interface StreamMappingOptions {
  invoke(event: { Records: DynamoDBRecord[] }): Promise<unknown>;
  /** Puts a message into the queue for expired records. */
  onFailure(message: string): Promise<unknown>;
  /** Duration of a second of the mapping's clock, for the pauses and the age of records. */
  secondMs: number;
}

/** Pause before an incomplete batch, so that records are batched. Lambda polls a stream four times a second. */
const POLL_MS = 20;
/** AWS does not document Lambda's pauses between attempts. */
const PAUSE_SECONDS = { first: 1, last: 60 };
/** Limit of an invocation's payload. @see https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html */
const MAX_BATCH_BYTES = 6 * 1024 * 1024;

type Waiting = { record: DynamoDBRecord; time: number };

/**
 * Starts a local event source mapping on a DynamoDB stream with one shard, from the start of the stream:
 *
 * - Batches are processed one after another, in order. Records that match no filter are skipped.
 * - After `batchItemFailures`, the batch is sent again from the lowest failed sequence number. An answer with an
 *   unknown   sequence number counts as an error.
 * - After an error, the batch is split into halves. A single record is sent again.
 * - A record that exceeds the maximum age is dropped. The failure queue gets its sequence number, but not the record.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
 * @see https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
 */
export function startStreamMapping(
  spec: Omit<StreamMappingSpec, 'consumer' | 'onFailureQueueName'>,
  { invoke, onFailure, secondMs }: StreamMappingOptions,
): StreamMapping {
  const waiting: Waiting[] = [];
  const stopped = new AbortController();
  let isBusy = false;

  async function work(): Promise<void> {
    if (isBusy) return;
    isBusy = true;
    while (waiting.length > 0 && !stopped.signal.aborted) {
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

  /** Processes a batch until each record has succeeded or expired. */
  async function processBatch(batch: readonly Waiting[]): Promise<void> {
    let rest = batch;
    let attempts = 0;
    while (!stopped.signal.aborted) {
      rest = await dropExpired(rest, attempts);
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

  /** Invokes the function. Returns the index of the first failed record, or the number of records if none failed. */
  async function firstFailed(batch: readonly Waiting[]): Promise<number | 'all'> {
    try {
      const answer = await invoke({ Records: batch.map(({ record }) => record) });
      const failures = (spec.reportBatchItemFailures && (answer as BatchResponse | null)?.batchItemFailures) || [];
      const indexes = failures.map(({ itemIdentifier }) =>
        batch.findIndex(({ record }) => record.dynamodb?.SequenceNumber === itemIdentifier),
      );
      return indexes.includes(-1) ? 'all' : Math.min(batch.length, ...indexes);
    } catch {
      return 'all'; // the function's log has the error
    }
  }

  async function dropExpired(batch: readonly Waiting[], invokeCount: number): Promise<readonly Waiting[]> {
    const oldest = Date.now() - spec.maxRecordAgeSeconds * secondMs;
    const firstYoung = batch.findIndex(({ time }) => time >= oldest);
    const count = firstYoung === -1 ? batch.length : firstYoung;
    if (count === 0) return batch;
    try {
      await onFailure(toMessage(batch.slice(0, count), invokeCount));
      return batch.slice(count);
    } catch {
      return batch; // the function gets the records again, and the queue gets another message
    }
  }

  return {
    add(record) {
      const passes = spec.patterns.some((pattern) =>
        Object.entries(pattern).every(([field, values]) => values.includes(record[field as keyof DynamoDBRecord])),
      );
      if (!passes) return;
      waiting.push({ record, time: Date.now() });
      void work();
    },
    stop: () => stopped.abort(),
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
