import { setTimeout as sleep } from 'node:timers/promises';
import type { DynamoDBRecord } from 'aws-lambda';
import type { FunctionSpec } from './function.ts';

/** How long a batch that is not full waits for more: streams are polled, and a poll takes what has come since the last. */
const POLL_MS = 20;
/** How long a record waits that could not be announced. */
const RETRY_MS = 500;

export interface PipeSpec {
  /** The table whose stream it reads. */
  tableName: string;
  /** Of what a filter lets pass: the allowed values of each field of a record. */
  patterns: Record<string, unknown[]>[];
  batchSize: number;
  enrichment: FunctionSpec;
  source: string;
  /** A text, or a path into what the enrichment answers. */
  detailType: string;
}

export interface Pipe {
  take(record: DynamoDBRecord): void;
  stop(): void;
}

/**
 * The counterpart of EventBridge Pipes: hands what passes its filters to the enrichment, in batches and in order,
 * and each element of the answer to the bus. What fails is tried again until it works.
 *
 * @param enrich the function that the template names.
 * @param put takes the `detail` of an event.
 * @see https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-batching-concurrency.html
 */
export function startPipe(
  { patterns, batchSize }: Pick<PipeSpec, 'patterns' | 'batchSize'>,
  enrich: (records: DynamoDBRecord[]) => Promise<unknown>,
  put: (detail: unknown) => void,
): Pipe {
  const waiting: DynamoDBRecord[] = [];
  let isBusy = false;
  const over = new AbortController();

  async function work(): Promise<void> {
    if (isBusy) return;
    isBusy = true;
    while (waiting.length > 0 && !over.signal.aborted) {
      if (waiting.length < batchSize) await sleep(POLL_MS);
      if (over.signal.aborted) break;
      const batch = waiting.slice(0, batchSize);
      try {
        const details = (await enrich(batch)) as unknown[];
        if (details.length > batchSize) throw new Error('the enrichment answers more than the bus takes at once');
        waiting.splice(0, batch.length);
        details.forEach(put);
      } catch {
        await sleep(RETRY_MS); // the function's log says why
      }
    }
    isBusy = false;
  }

  return {
    take(record) {
      const passes = patterns.some((pattern) =>
        Object.entries(pattern).every(([field, values]) => values.includes(record[field as keyof DynamoDBRecord])),
      );
      if (!passes) return;
      waiting.push(record);
      void work();
    },
    stop: () => over.abort(),
  };
}

/**
 * Resolves a dynamic path parameter, as far as it is one.
 *
 * @param parameter as in `$.type`: the whole of it is a path, or none of it.
 * @see https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-event-target.html "Dynamic path parameters"
 */
export function resolveParameter(parameter: string, event: unknown): string {
  const [root, ...names] = parameter.split('.');
  if (root !== '$') return parameter;
  return String(names.reduce((value, name) => (value as Record<string, unknown>)[name], event));
}
