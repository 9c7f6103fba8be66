import { Aws } from 'aws-cdk-lib';
import type { ITable } from 'aws-cdk-lib/aws-dynamodb';
import { EventBus } from 'aws-cdk-lib/aws-events';
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { Function } from 'aws-cdk-lib/aws-lambda';
import { CfnPipe } from 'aws-cdk-lib/aws-pipes';
import type { LogGroup } from 'aws-cdk-lib/aws-logs';
import type { Queue } from 'aws-cdk-lib/aws-sqs';
import type { Construct } from 'constructs';
import { acceptDependencies } from './findings.ts';
import { permitKey } from './permissions.ts';

/** What other systems' rules match. */
export const EVENT_SOURCE = 'tencent.chat.official-accounts';

/** A stream keeps its records for 24 hours: what can't be announced is set aside while it is still there. */
const MAX_RECORD_AGE_SECONDS = 12 * 60 * 60;

export interface Announcements {
  bus: EventBus;
  pipe: CfnPipe;
}

export interface AnnouncementsProps {
  /** Must have a stream. */
  table: ITable;
  /** Makes events of the stream's records. */
  announce: Function;
  /** Takes what could not be announced in half a day. */
  unannounced: Queue;
  /** Takes the pipe's errors. */
  log: LogGroup;
}

/**
 * Announces each change of the table: its stream → pipe → event bus.
 *
 * From the stream and not from the receiver: what is in the table is what is announced, without a second write
 * that might fail alone.
 */
export function announcements(
  scope: Construct,
  { table, announce, unannounced, log }: AnnouncementsProps,
): Announcements {
  const stream = table.tableStreamArn;
  if (stream === undefined) throw new Error('the table has no stream to announce');
  const bus = new EventBus(scope, 'Announcements', {
    description: 'Announces changes of official accounts to other systems',
  });
  const role = new Role(scope, 'PipeRole', {
    assumedBy: new ServicePrincipal('pipes.amazonaws.com', {
      conditions: { StringEquals: { 'aws:SourceAccount': Aws.ACCOUNT_ID } }, // no pipe of others
    }),
  });
  const allow = (resource: string, ...actions: string[]) =>
    role.addToPolicy(new PolicyStatement({ actions, resources: [resource] }));
  allow(stream, 'dynamodb:DescribeStream', 'dynamodb:GetRecords', 'dynamodb:GetShardIterator', 'dynamodb:ListStreams');
  allow(announce.functionArn, 'lambda:InvokeFunction');
  allow(bus.eventBusArn, 'events:PutEvents');
  allow(unannounced.queueArn, 'sqs:SendMessage');
  permitKey(role, 'dynamodb:GetRecords', table.encryptionKey);
  permitKey(role, 'sqs:SendMessage', unannounced.encryptionMasterKey);
  log.grantWrite(role);

  const pipe = new CfnPipe(scope, 'Pipe', {
    description: "From the table's stream to the event bus",
    roleArn: role.roleArn,
    source: stream,
    sourceParameters: {
      dynamoDbStreamParameters: {
        startingPosition: 'TRIM_HORIZON', // with LATEST, what is written while the pipe starts would be missed
        batchSize: 10, // as many as the bus takes at once; a larger answer of the enrichment would go nowhere
        maximumRecordAgeInSeconds: MAX_RECORD_AGE_SECONDS,
        onPartialBatchItemFailure: 'AUTOMATIC_BISECT', // one that can't be announced must not take others with it
        deadLetterConfig: { arn: unannounced.queueArn },
      },
      filterCriteria: { filters: [{ pattern: JSON.stringify({ eventName: ['INSERT', 'MODIFY'] }) }] },
    },
    enrichment: announce.functionArn,
    target: bus.eventBusArn,
    logConfiguration: { level: 'ERROR', cloudwatchLogsLogDestination: { logGroupArn: log.logGroupArn } },
    targetParameters: {
      // A path into what the enrichment answers: each command has a detail type of its own.
      eventBridgeEventBusParameters: { source: EVENT_SOURCE, detailType: '$.type' },
    },
  });
  pipe.node.addDependency(role); // its policy is no part of it, and the pipe checks its rights at once
  acceptDependencies(pipe);
  return { bus, pipe };
}
