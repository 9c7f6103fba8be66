import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import * as v from 'valibot';
import { receivedTime, type Delivery, type Query } from './delivery.ts';
import { PARK_LIMITS, withinTotal } from './limits.ts';
import { clientSettings } from './sdk-client.ts';

/** Of the messages' shape. A message of another version is left to people by whoever reads it. */
const VERSION = 1;

/**
 * A delivery in a queue: what is needed to receive it once more. Its sender was proven before it got here;
 * Sign and RequestTime stay behind.
 */
const PARKED_DELIVERY = v.object({
  version: v.literal(VERSION),
  /** Why it is here: it could not be stored, or was refused for this reason. */
  reason: v.picklist(['notStored', 'badBody', 'commandsDisagree', 'badPayload']),
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
type ParkedDelivery = v.InferOutput<typeof PARKED_DELIVERY>;

/** The refusals of deliveries that are genuine: Chat ignores a FAIL, so what they hold would be gone. */
export type QuarantineReason = Exclude<ParkedDelivery['reason'], 'notStored'>;

/** Keeps what could not be stored or understood. Whatever fails is thrown: then the delivery is not kept. */
export interface Parking {
  /** In the queue from which it is stored later. */
  park(delivery: Delivery): Promise<void>;
  /** In the dead-letter queue, for people. */
  quarantine(delivery: Delivery, reason: QuarantineReason, field?: string): Promise<void>;
}

/** The queues' URLs. */
export interface ParkingQueues {
  parkingQueueUrl: string;
  deadLetterQueueUrl: string;
}

/** Opens the queues. This module, and the SQS client with it, is loaded only when something has gone wrong. */
export function openParking({ parkingQueueUrl, deadLetterQueueUrl }: ParkingQueues): Parking {
  const client = new SQSClient(clientSettings(PARK_LIMITS));
  const send = async (queueUrl: string, delivery: ParkedDelivery) => {
    const message = new SendMessageCommand({ QueueUrl: queueUrl, MessageBody: asciiJson(delivery) });
    await withinTotal(PARK_LIMITS, client.send(message), client);
  };
  return {
    park: (delivery) => send(parkingQueueUrl, parked(delivery, 'notStored')),
    quarantine: (delivery, reason, field) => send(deadLetterQueueUrl, parked(delivery, reason, field)),
  };
}

function parked(delivery: Delivery, reason: ParkedDelivery['reason'], field?: string): ParkedDelivery {
  const { sign: _, requestTime: __, ...query } = delivery.query;
  return {
    version: VERSION,
    reason,
    field,
    requestId: delivery.requestContext.requestId,
    receivedTime: receivedTime(delivery),
    query,
    body: (delivery.bytes ?? Buffer.alloc(0)).toString('base64'),
  };
}

/**
 * Makes the delivery of a message again, ready for the steps that come after its sender is proven.
 *
 * @throws where the message is none of ours, cut short, or of another version of this software.
 */
export function unparked(message: string): Delivery {
  const { requestId, receivedTime: timeEpoch, query, body } = v.parse(PARKED_DELIVERY, JSON.parse(message));
  return {
    headers: {},
    requestContext: { requestId, timeEpoch, http: { sourceIp: '' } },
    query: query as Query,
    body,
    isBase64Encoded: true,
  };
}

/** SQS refuses some characters of Unicode, and with them the whole message. */
function asciiJson(value: unknown): string {
  return JSON.stringify(value).replaceAll(
    /[^\x20-\x7e]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
