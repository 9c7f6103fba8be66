import type { Logger } from '@aws-lambda-powertools/logger';
import type { DynamoDBBatchResponse, DynamoDBRecord, DynamoDBStreamEvent } from 'aws-lambda';
import type { PutResult } from './event-bus.ts';
import { eventOfChange, UnpublishableError, type Item, type PublishedEvent } from './official-account-event.ts';
import type { SetAside } from './unpublished-queue.ts';

export interface PublisherDependencies {
  logger: Logger;
  putEvents(events: readonly PublishedEvent[]): Promise<PutResult[]>;
  setAside: SetAside;
}

type ChangeResult = PutResult | { outcome: 'noEvent' };

/**
 * Creates the function that publishes a batch of changes from the table's stream, in order.
 *
 * A change with a permanent failure is set aside: it goes to the queue for unpublished changes, so that it does not
 * block other changes. After any other failure, the first failed change is reported. Lambda sends it and all later ones
 * again. Therefore some events may come twice.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
 */
export function createPublisher({ logger, putEvents, setAside }: PublisherDependencies) {
  return async ({ Records }: DynamoDBStreamEvent): Promise<DynamoDBBatchResponse> => {
    const results = await publish(Records);
    // Lambda repeats all records from the first failed one on, so only earlier records are set aside.
    const end = indexOrLength(results, ({ outcome }) => outcome === 'failed');
    const done = await setAsideUnpublishable(Records.slice(0, end), results);
    const count = (counted: ChangeResult['outcome']) =>
      results.slice(0, done).filter(({ outcome }) => outcome === counted).length;
    const line = { records: Records.length, published: count('published'), setAside: count('unpublishable') };
    if (done === Records.length) {
      logger.info('publish', line);
      return { batchItemFailures: [] };
    }
    const failed = results[done];
    logger.warn('publish', {
      ...line,
      again: Records.length - done,
      reason: failed?.outcome === 'failed' ? failed.reason : 'NotSetAside',
    });
    return { batchItemFailures: [{ itemIdentifier: Records[done]?.dynamodb?.SequenceNumber ?? '' }] };
  };

  async function publish(records: readonly DynamoDBRecord[]): Promise<ChangeResult[]> {
    const changes = records.map(readChange);
    const published = (
      await putEvents(changes.flatMap((change) => ('event' in change ? [change.event] : [])))
    ).values();
    return changes.map((change) => ('event' in change ? published.next().value! : change));
  }

  /** @returns the number of records that Lambda need not repeat. */
  async function setAsideUnpublishable(records: readonly DynamoDBRecord[], results: readonly ChangeResult[]) {
    for (const [index, record] of records.entries()) {
      const result = results[index];
      if (result?.outcome !== 'unpublishable') continue;
      const { Keys: keys, SequenceNumber: sequenceNumber } = record.dynamodb ?? {};
      const line = { officialAccountId: keys?.['officialAccountId']?.S, sequenceNumber, reason: result.reason };
      try {
        await setAside(record, result.reason);
        logger.warn('unpublished', line);
      } catch (error) {
        logger.error('the change can neither be published nor set aside', { ...line, error });
        return index;
      }
    }
    return records.length;
  }
}

/** Reads the event of a record. Every error counts as permanent, because it would otherwise block all later changes. */
function readChange({ dynamodb }: DynamoDBRecord): ChangeResult | { event: PublishedEvent } {
  try {
    const event = eventOfChange(dynamodb?.OldImage as Item | undefined, dynamodb?.NewImage as Item | undefined);
    return event === undefined ? { outcome: 'noEvent' } : { event };
  } catch (error) {
    const { name, message } = error as Error;
    // The message of another error could contain a value of the record.
    return { outcome: 'unpublishable', reason: error instanceof UnpublishableError ? message : name };
  }
}

function indexOrLength<T>(values: readonly T[], matches: (value: T) => boolean): number {
  const index = values.findIndex(matches);
  return index === -1 ? values.length : index;
}
