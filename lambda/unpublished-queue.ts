import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import type { DynamoDBRecord } from 'aws-lambda';
import { asciiJson } from './ascii-json.ts';
import { MAX_MESSAGE_BYTES, REDRIVE_LIMITS } from './limits.ts';
import { clientSettings, abortAtDeadline } from './sdk-client.ts';

/** Version of the messages' shape. */
const VERSION = 1;

/** Sets a change aside, with the reason why it is not published. @throws where the queue does not take it. */
export type SetAside = (record: DynamoDBRecord, reason: string) => Promise<void>;

/** Opens the queue for unpublished changes. This module, and the SQS client with it, is loaded only when it is needed. */
export function openUnpublishedQueue(queueUrl: string): SetAside {
  const client = new SQSClient(clientSettings(REDRIVE_LIMITS));
  const withDeadline = abortAtDeadline(REDRIVE_LIMITS);
  return async (record, reason) => {
    const message = new SendMessageCommand({ QueueUrl: queueUrl, MessageBody: toMessage(record, reason) });
    await withDeadline(({ options }) => client.send(message, options));
  };
}

/** Makes a message of a change: its keys, its place in the stream and the new image, if a message can hold that. */
function toMessage({ dynamodb }: DynamoDBRecord, reason: string): string {
  const change = { version: VERSION, reason, sequenceNumber: dynamodb?.SequenceNumber, keys: dynamodb?.Keys };
  const whole = asciiJson({ ...change, newImage: dynamodb?.NewImage });
  return whole.length <= MAX_MESSAGE_BYTES ? whole : asciiJson(change);
}
