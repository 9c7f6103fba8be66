import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import type { DynamoDBRecord } from 'aws-lambda';
import { asciiJson } from './ascii-json.ts';
import { MAX_MESSAGE_BYTES, BACKGROUND_LIMITS } from './limits.ts';
import { clientSettings, abortAtDeadline } from './sdk-client.ts';

/** Version of the messages' shape. */
const VERSION = 1;

/**
 * Sets a change aside: sends it to the queue for unpublished changes, with the reason.
 *
 * @throws the SDK's error or a TimeoutError.
 */
export type SetAside = (record: DynamoDBRecord, reason: string) => Promise<void>;

/** Opens the queue for unpublished changes. The publisher loads this module, and with it the SQS client, on demand. */
export function openUnpublishedQueue(queueUrl: string): SetAside {
  const client = new SQSClient(clientSettings(BACKGROUND_LIMITS));
  const withDeadline = abortAtDeadline(BACKGROUND_LIMITS);
  return async (record, reason) => {
    const message = new SendMessageCommand({ QueueUrl: queueUrl, MessageBody: toMessage(record, reason) });
    await withDeadline(({ options }) => client.send(message, options));
  };
}

/** Returns the message for a change: its keys, its sequence number and, if it fits into a message, the new image. */
function toMessage({ dynamodb }: DynamoDBRecord, reason: string): string {
  const change = { version: VERSION, reason, sequenceNumber: dynamodb?.SequenceNumber, keys: dynamodb?.Keys };
  const whole = asciiJson({ ...change, newImage: dynamodb?.NewImage });
  return whole.length <= MAX_MESSAGE_BYTES ? whole : asciiJson(change);
}
