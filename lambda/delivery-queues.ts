import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import * as v from 'valibot';
import { asciiJson } from './ascii-json.ts';
import { bodyBytes, receivedTime, type Delivery, type Query } from './delivery.ts';
import { MAX_BODY_BYTES, QUEUE_LIMITS } from './limits.ts';
import { DEAD_LETTER_REASONS, type DeadLetterReason } from './outcomes.ts';
import { clientSettings } from './sdk-client.ts';

/** Version of the messages' shape. Messages of another version are not processed automatically. */
const VERSION = 1;

/**
 * A delivery in a queue, with all that is necessary to process it again. It has no Sign and RequestTime, because the
 * receiver has already checked the signature.
 */
const QUEUED_DELIVERY = v.object({
  version: v.literal(VERSION),
  /** Why the delivery is in the queue: it was not stored, or the reason of its rejection. */
  reason: v.picklist(['notStored', ...DEAD_LETTER_REASONS]),
  /** Wire name of the invalid field. */
  field: v.optional(v.string()),
  /** API Gateway's request ID, as in the logs. */
  requestId: v.string(),
  /** Unix milliseconds. */
  receivedTime: v.pipe(v.number(), v.safeInteger()),
  query: v.object({
    sdkAppId: v.optional(v.string()),
    callbackCommand: v.optional(v.string()),
    clientIp: v.optional(v.string()),
    optPlatform: v.optional(v.string()),
  }),
  /** First 64 KiB of the original body. Base64, because the body is not always text. */
  body: v.pipe(v.string(), v.base64()),
});
export type QueuedDelivery = v.InferOutput<typeof QUEUED_DELIVERY>;

/** Queues for deliveries that were not stored or were rejected. The methods throw if SQS does not accept a delivery. */
export interface DeliveryQueues {
  /** Sends a delivery to the parking queue. The redrive stores it later. */
  park(delivery: Delivery): Promise<void>;
  /** Sends a delivery to the dead-letter queue, for manual handling. */
  deadLetter(delivery: Delivery, reason: DeadLetterReason, field?: string): Promise<void>;
  /** Destroys the connections, which cancels all calls. */
  destroy(): void;
}

export interface QueueUrls {
  parkingQueueUrl: string;
  deadLetterQueueUrl: string;
}

/** Opens the queues. The receiver loads this module, and with it the SQS client, only after a failure. */
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
 * Parses a message from one of the queues.
 *
 * @throws if the message is not from this software, is truncated, or has another version.
 */
export function parseQueuedDelivery(message: string): QueuedDelivery {
  return v.parse(QUEUED_DELIVERY, JSON.parse(message));
}

/**
 * Converts a message to a delivery for the redrive.
 *
 * @throws the errors of {@link parseQueuedDelivery}.
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
