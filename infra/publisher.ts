import { Duration } from 'aws-cdk-lib';
import type { ITable } from 'aws-cdk-lib/aws-dynamodb';
import { EventBus, type IEventBus } from 'aws-cdk-lib/aws-events';
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
import { createFunction, functionCode } from './functions.ts';
import { eventBusNameOf } from './names.ts';
import { permitStream } from './permissions.ts';

/**
 * A stream keeps records for 24 hours. Records that cannot be published go to the queue while they can still be read.
 */
const MAX_RECORD_AGE = Duration.hours(12);

export interface PublishingProps {
  serviceName: string;
  /** Must have a stream. */
  table: ITable;
  /** Queue for changes that cannot be published at all, or not within 12 hours. */
  unpublished: Queue;
  eventBus: IEventBus;
  /** Creates a log group. */
  log: (id: string) => LogGroup;
}

/** Creates the event bus. */
export function officialAccountEvents(scope: Construct): EventBus {
  const eventBusName = eventBusNameOf(scope);
  // CDK's default name contains this ID, and rules of other systems refer to the name. So the ID stays.
  return new EventBus(scope, 'Announcements', {
    ...(eventBusName !== undefined && { eventBusName }),
    description: 'Publishes changes of official accounts to other systems',
  });
}

/**
 * Creates the publisher, so that each change of the table is published: stream → publisher → event bus.
 *
 * The events come from the stream, because an event sent by the receiver would be a second write that can fail alone.
 * An EventBridge Pipe would need a function as well, and users report that it cannot take the detail type from the
 * event.
 *
 * @see https://github.com/aws/aws-cdk/issues/30587
 */
export function publishing(scope: Construct, props: PublishingProps): Function {
  const { serviceName, table, unpublished, eventBus, log } = props;
  const stream = table.tableStreamArn;
  if (stream === undefined) throw new Error('The table has no stream.');
  const { lambda: publisher, role } = createFunction(scope, 'Publisher', log, {
    description: "Publishes the changes in the table's stream as events",
    code: functionCode(scope, 'publisher'),
    timeout: Duration.seconds(60), // 22 s for the events, 10 s for the queue, and a reserve
    environment: {
      SERVICE_NAME: serviceName,
      EVENT_BUS_NAME: eventBus.eventBusName,
      UNPUBLISHED_QUEUE_URL: unpublished.queueUrl,
    } satisfies PublisherEnvironment,
    permissions: { 'sqs:SendMessage': [unpublished] },
    noDeadLetterQueue: 'the mapping of the stream invokes it synchronously and has a queue for failures',
  });
  eventBus.grantPutEventsTo(role);
  permitStream(role, table);
  const source = new EventSourceMapping(scope, 'PublisherSource', {
    target: publisher,
    eventSourceArn: stream,
    // LATEST would miss changes that are written while the mapping starts.
    startingPosition: StartingPosition.TRIM_HORIZON,
    batchSize: 100,
    bisectBatchOnError: true, // a record on which the function fails must not hold up the others
    reportBatchItemFailures: true,
    maxRecordAge: MAX_RECORD_AGE,
    onFailure: { bind: () => ({ destination: unpublished.queueArn }) }, // SqsDlq would grant actions that nothing uses
    filters: [FilterCriteria.filter({ eventName: FilterRule.or('INSERT', 'MODIFY') })],
  });
  source.node.addDependency(role); // Lambda checks the role's permissions when it creates the mapping
  return publisher;
}
