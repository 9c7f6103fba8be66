import { Duration } from 'aws-cdk-lib';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { Queue, QueueEncryption, type QueueProps } from 'aws-cdk-lib/aws-sqs';
import type { Construct } from 'constructs';
import { MAX_RECEIPTS } from '../lambda/limits.ts';
import { acknowledge } from './findings.ts';

/** For ten messages at a time, with the pauses between the attempts to store them. */
export const REDRIVE_TIMEOUT = Duration.seconds(30);

export interface Queues {
  /** Deliveries that wait to be stored. */
  readonly parked: Queue;
  /** Deliveries for people to look at. */
  readonly deadLetters: Queue;
  /** Changes of the table that could not be published. */
  readonly unpublished: Queue;
}

/** Creates the queues for all that could not be done at once. */
export function queues(scope: Construct, { encryptionKey }: { encryptionKey: IKey | undefined }): Queues {
  const properties: QueueProps = {
    ...(encryptionKey === undefined
      ? { encryption: QueueEncryption.SQS_MANAGED }
      : { encryption: QueueEncryption.KMS, encryptionMasterKey: encryptionKey }),
    enforceSSL: true,
    retentionPeriod: Duration.days(14), // the longest that there is: a delivery lost here is lost for good
  };
  const deadLetters = new Queue(scope, 'DeadLetters', properties);
  const unpublished = new Queue(scope, 'Unannounced', properties); // an ID of earlier versions: a new one would lose it
  for (const queue of [deadLetters, unpublished]) {
    for (const rule of ['AwsSolutions::AwsSolutions-SQS3', 'Serverless::Serverless-SQSRedrivePolicy']) {
      acknowledge(queue, rule, 'it is a dead-letter queue');
    }
  }
  const parked = new Queue(scope, 'Parked', {
    ...properties,
    visibilityTimeout: Duration.seconds(6 * REDRIVE_TIMEOUT.toSeconds()), // what AWS advises, for batches that wait for a free instance
    deadLetterQueue: { queue: deadLetters, maxReceiveCount: MAX_RECEIPTS },
  });
  return { parked, deadLetters, unpublished };
}
