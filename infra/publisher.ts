import { Duration } from 'aws-cdk-lib';
import type { ITable } from 'aws-cdk-lib/aws-dynamodb';
import { EventBus } from 'aws-cdk-lib/aws-events';
import {
  EventSourceMapping,
  FilterCriteria,
  FilterRule,
  StartingPosition,
  type Function,
} from 'aws-cdk-lib/aws-lambda';
import type { LogGroup } from 'aws-cdk-lib/aws-logs';
import type { Queue } from 'aws-cdk-lib/aws-sqs';
import type { Construct } from 'constructs';
import type { PublisherEnvironment } from '../lambda/config.ts';
import { bundle, createFunction } from './functions.ts';
import { permitStream } from './permissions.ts';

/** A stream keeps its records for 24 hours: what cannot be published is set aside while it is still there. */
const MAX_RECORD_AGE = Duration.hours(12);

export interface Publishing {
  bus: EventBus;
  /** The function that publishes the changes in the table's stream. */
  publisher: Function;
}

export interface PublishingProps {
  serviceName: string;
  /** Must have a stream. */
  table: ITable;
  /** Takes what cannot be published, or not within 12 hours. */
  unpublished: Queue;
  /** Creates a log group. */
  log: (id: string) => LogGroup;
}

/**
 * Publishes each change of the table: its stream → publisher → event bus.
 *
 * From the stream and not from the receiver: what is in the table is what is published, without a second write that might
 * fail alone. By a function and not by an EventBridge Pipe: a pipe needs a function as well, and users report that its
 * detail type can't be taken from the event.
 *
 * @see https://github.com/aws/aws-cdk/issues/30587
 */
export function publishing(scope: Construct, { serviceName, table, unpublished, log }: PublishingProps): Publishing {
  const stream = table.tableStreamArn;
  if (stream === undefined) throw new Error('the table has no stream to publish');
  // Its ID makes its name, which other systems' rules refer to: it stays.
  const bus = new EventBus(scope, 'Announcements', {
    description: 'Publishes changes of official accounts to other systems',
  });
  const { lambda: publisher, role } = createFunction(scope, 'Publisher', log, {
    description: "Publishes the changes in the table's stream as events",
    code: bundle(scope, 'publisher'),
    timeout: Duration.seconds(60), // 22 for the events, 10 for the queue, and the rest for a busy moment
    environment: {
      SERVICE_NAME: serviceName,
      EVENT_BUS_NAME: bus.eventBusName,
      UNPUBLISHED_QUEUE_URL: unpublished.queueUrl,
    } satisfies PublisherEnvironment,
    permissions: { 'events:PutEvents': [bus], 'sqs:SendMessage': [unpublished] },
    noDeadLetterQueue: 'the mapping from the stream, which waits for its answer, has a queue',
  });
  permitStream(role, table);
  const source = new EventSourceMapping(scope, 'PublisherSource', {
    target: publisher,
    eventSourceArn: stream,
    startingPosition: StartingPosition.TRIM_HORIZON, // LATEST would miss what is written while the mapping starts
    batchSize: 100,
    bisectBatchOnError: true, // a record that makes the function fail must not take others with it
    reportBatchItemFailures: true,
    maxRecordAge: MAX_RECORD_AGE,
    onFailure: { bind: () => ({ destination: unpublished.queueArn }) }, // SqsDlq would add rights that nothing uses
    filters: [FilterCriteria.filter({ eventName: FilterRule.or('INSERT', 'MODIFY') })],
  });
  source.node.addDependency(role); // Lambda checks its rights at once
  return { bus, publisher };
}
