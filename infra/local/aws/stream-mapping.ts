import { setTimeout as sleep } from 'node:timers/promises';
import type { DynamoDBRecord } from 'aws-lambda';
import type { FunctionSpec } from './function.ts';

export interface StreamMappingSpec {
  /** The table whose stream the mapping reads. */
  tableName: string;
  /** Filters: each has the allowed values of fields. A record must match one of them. */
  patterns: Record<string, unknown[]>[];
  batchSize: number;
  reportBatchItemFailures: boolean;
  consumer: FunctionSpec;
}

export interface StreamMapping {
  /** Adds the next record of the stream. */
  add(record: DynamoDBRecord): void;
  stop(): void;
}

/** Pause before an incomplete batch, so that records are batched. Lambda polls a stream four times a second. */
const POLL_MS = 20;

/**
 * Starts a local event source mapping on a DynamoDB stream with one shard, from the start of the stream:
 *
 * - Batches are processed one after another, in order. Records that match no filter are skipped.
 * - After `batchItemFailures`, the batch is sent again from the lowest failed sequence number.
 * - After an error, or an answer with an unknown sequence number, the whole batch is sent again.
 *
 * Unlike Lambda, it neither splits a batch after an error nor drops old records.
 *
 * @param pauseMs pause before a batch is sent again.
 * @see https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
 */
export function startStreamMapping(
  { patterns, batchSize, reportBatchItemFailures }: Omit<StreamMappingSpec, 'consumer'>,
  invoke: (event: { Records: DynamoDBRecord[] }) => Promise<unknown>,
  pauseMs: number,
): StreamMapping {
  const waiting: DynamoDBRecord[] = [];
  let isBusy = false;
  let isStopped = false;

  async function work(): Promise<void> {
    if (isBusy) return;
    isBusy = true;
    while (waiting.length > 0) {
      if (waiting.length < batchSize) await sleep(POLL_MS);
      let batch = waiting.splice(0, batchSize);
      while (batch.length > 0) {
        if (isStopped) return;
        batch = batch.slice(await countDone(batch));
        if (batch.length > 0) await sleep(pauseMs, undefined, { ref: false });
      }
    }
    isBusy = false;
  }

  /** Invokes the function. Returns the number of records before the first failed one. */
  async function countDone(Records: DynamoDBRecord[]): Promise<number> {
    try {
      const answer = (await invoke({ Records })) as BatchResponse | null;
      const failures = (reportBatchItemFailures && answer?.batchItemFailures) || [];
      const indexes = failures.map(({ itemIdentifier }) =>
        Records.findIndex(({ dynamodb }) => dynamodb?.SequenceNumber === itemIdentifier),
      );
      return Math.max(0, Math.min(Records.length, ...indexes));
    } catch {
      return 0; // the function's log has the error
    }
  }

  return {
    add(record) {
      const passes = patterns.some((pattern) =>
        Object.entries(pattern).every(([field, values]) => values.includes(record[field as keyof DynamoDBRecord])),
      );
      if (!passes) return;
      waiting.push(record);
      void work();
    },
    stop: () => void (isStopped = true),
  };
}

interface BatchResponse {
  batchItemFailures?: { itemIdentifier: string }[] | null;
}
