import { Duration } from 'aws-cdk-lib';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { Queue, QueueEncryption, type QueueProps } from 'aws-cdk-lib/aws-sqs';
import type { Construct } from 'constructs';
import { MAX_ATTEMPTS } from '../lambda/limits.ts';
import { acknowledge } from './findings.ts';

/** Timeout for ten messages, with the pauses between the attempts to store them. */
export const REDRIVE_TIMEOUT = Duration.seconds(30);

/** The queues of a receiver. */
export interface Queues {
  /** Deliveries that wait to be stored. */
  readonly parked: Queue;
  /** Deliveries that people must look at. */
  readonly deadLetters: Queue;
  /** Changes of the table that could not be published. */
  readonly unpublished: Queue;
}

/** Creates the queues. */
export function queues(scope: Construct, { encryptionKey }: { encryptionKey: IKey | undefined }): Queues {
  const properties: QueueProps = {
    ...(encryptionKey === undefined
      ? { encryption: QueueEncryption.SQS_MANAGED }
      : { encryption: QueueEncryption.KMS, encryptionMasterKey: encryptionKey }),
    enforceSSL: true,
    retentionPeriod: Duration.days(14), // SQS's maximum, because a delivery that expires here is lost
  };
  const deadLetters = new Queue(scope, 'DeadLetters', properties);
  // The ID of earlier versions: another ID would replace the queue and lose its messages.
  const unpublished = new Queue(scope, 'Unannounced', properties);
  for (const queue of [deadLetters, unpublished]) {
    for (const rule of ['AwsSolutions::AwsSolutions-SQS3', 'Serverless::Serverless-SQSRedrivePolicy']) {
      acknowledge(queue, rule, 'it is a dead-letter queue');
    }
  }
  const parked = new Queue(scope, 'Parked', {
    ...properties,
    visibilityTimeout: Duration.seconds(6 * REDRIVE_TIMEOUT.toSeconds()), // AWS's recommendation
    deadLetterQueue: { queue: deadLetters, maxReceiveCount: MAX_ATTEMPTS },
  });
  return { parked, deadLetters, unpublished };
}
