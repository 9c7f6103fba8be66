import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import * as v from 'valibot';
import { asciiJson } from './ascii-json.ts';
import { bodyBytes, receivedTime, type Delivery, type Query } from './delivery.ts';
import { MAX_BODY_BYTES, QUEUE_LIMITS } from './limits.ts';
import { DEAD_LETTER_REASONS, type DeadLetterReason } from './outcomes.ts';
import { clientSettings } from './sdk-client.ts';

/** The version of the messages' shape. Readers leave a message of another version to people. */
const VERSION = 1;

/**
 * A delivery in a queue: what is needed to receive it once more. Its sender was proven before it got here;
 * Sign and RequestTime stay behind.
 */
const QUEUED_DELIVERY = v.object({
  version: v.literal(VERSION),
  /** The reason why it is here: it could not be stored, or was refused. */
  reason: v.picklist(['notStored', ...DEAD_LETTER_REASONS]),
  /** The field that it was refused for. */
  field: v.optional(v.string()),
  /** API Gateway's ID of the request, as in the logs. */
  requestId: v.string(),
  /** Unix milliseconds. */
  receivedTime: v.pipe(v.number(), v.safeInteger()),
  query: v.object({
    sdkAppId: v.optional(v.string()),
    callbackCommand: v.optional(v.string()),
    clientIp: v.optional(v.string()),
    optPlatform: v.optional(v.string()),
  }),
  /** The body as it came, its first 64 KiB, in base64: it need not be text. */
  body: v.pipe(v.string(), v.base64()),
});
export type QueuedDelivery = v.InferOutput<typeof QUEUED_DELIVERY>;

/** Keeps what could not be stored or understood. Whatever fails is thrown: then the delivery is not kept. */
export interface DeliveryQueues {
  /** Puts it into the queue from which it is stored later. */
  park(delivery: Delivery): Promise<void>;
  /** Puts it into the dead-letter queue, for people. */
  deadLetter(delivery: Delivery, reason: DeadLetterReason, field?: string): Promise<void>;
  /** Cuts the connections: what is on its way is given up. */
  destroy(): void;
}

/** The queues' URLs. */
export interface QueueUrls {
  parkingQueueUrl: string;
  deadLetterQueueUrl: string;
}

/** Opens the queues. This module, and the SQS client with it, is loaded only when something has gone wrong. */
export function openDeliveryQueues({ parkingQueueUrl, deadLetterQueueUrl }: QueueUrls): DeliveryQueues {
  const client = new SQSClient(clientSettings(QUEUE_LIMITS));
  const send = async (queueUrl: string, delivery: QueuedDelivery) => {
    const message = new SendMessageCommand({ QueueUrl: queueUrl, MessageBody: asciiJson(delivery) });
    await client.send(message);
  };
  return {
    park: (delivery) => send(parkingQueueUrl, toQueuedDelivery(delivery, 'notStored')),
    deadLetter: (delivery, reason, field) => send(deadLetterQueueUrl, toQueuedDelivery(delivery, reason, field)),
    destroy: () => client.destroy(),
  };
}

function toQueuedDelivery(delivery: Delivery, reason: QueuedDelivery['reason'], field?: string): QueuedDelivery {
  const { sign: _, requestTime: __, ...query } = delivery.query;
  return {
    version: VERSION,
    reason,
    field,
    requestId: delivery.requestContext.requestId,
    receivedTime: receivedTime(delivery),
    query,
    body: bodyBytes(delivery).subarray(0, MAX_BODY_BYTES).toString('base64'),
  };
}

/**
 * Reads what a message holds.
 *
 * @throws where the message is none of ours, cut short, or of another version of this software.
 */
export function parseQueuedDelivery(message: string): QueuedDelivery {
  return v.parse(QUEUED_DELIVERY, JSON.parse(message));
}

/**
 * Makes the delivery of a message again, ready for the steps that come after its sender is proven.
 *
 * @throws as {@link parseQueuedDelivery}.
 */
export function toDelivery(message: string): Delivery {
  const { requestId, receivedTime: timeEpoch, query, body } = parseQueuedDelivery(message);
  return {
    headers: {},
    requestContext: { requestId, timeEpoch, http: { sourceIp: '' } },
    query: query as Query,
    body,
    isBase64Encoded: true,
  };
}
