import * as v from 'valibot';
import { field, receivedTime, type Delivery } from '../delivery.ts';
import { MAX_AHEAD_MS, MAX_KEY_BYTES, MIN_EVENT_TIME_MS } from '../limits.ts';
import type { AccountEvent } from '../official-account.ts';
import { RejectedError } from '../outcomes.ts';
import type { Command } from './command.ts';

/** DynamoDB rejects half a surrogate pair. It becomes U+FFFD, because a damaged name is better than none. */
const TEXT = v.pipe(
  v.string(),
  v.transform((value) => value.toWellFormed()),
);

const OPTIONAL_TEXT = v.optional(TEXT);

const ID = v.pipe(
  v.string(),
  v.nonEmpty(),
  v.maxBytes(MAX_KEY_BYTES),
  v.check((value) => value.isWellFormed()),
);

/** Unix milliseconds. A related page of Tencent (1047/34376) shows a string of digits, so that is accepted as well. */
const MILLISECONDS = v.pipe(
  v.union([
    v.number(),
    v.pipe(
      v.string(),
      v.digits(),
      v.transform((digits) => Number(digits)),
    ),
  ]),
  v.safeInteger(),
  v.minValue(MIN_EVENT_TIME_MS),
);

/**
 * Reads the event of a command from a delivery, and sets the delivery's `eventAgeMs`.
 *
 * @throws RejectedError with the first invalid field.
 */
export function readEvent({ attributes, timestampAttribute }: Command, delivery: Delivery): AccountEvent {
  const { query, body } = delivery;
  if (typeof body !== 'object' || body === null) throw new RejectedError('badPayload', { detail: 'not an object' });
  const officialAccountId = readField(ID, body, 'Official_Account');
  const eventTime = readField(MILLISECONDS, body, 'EventTime');
  const values: Record<string, string | undefined> = {};
  for (const [name, { wireName, isOptional }] of Object.entries(attributes)) {
    values[name] = readField(isOptional ? OPTIONAL_TEXT : TEXT, body, wireName);
  }
  delivery.eventAgeMs = receivedTime(delivery) - eventTime;
  if (delivery.eventAgeMs < -MAX_AHEAD_MS) {
    throw new RejectedError('badPayload', {
      field: 'EventTime',
      detail: `${-delivery.eventAgeMs} ms ahead of the receipt`,
    });
  }
  if (query.sdkAppId === undefined) throw new RejectedError('wrongApp');
  return {
    sdkAppId: query.sdkAppId,
    officialAccountId,
    eventTime,
    receivedTime: receivedTime(delivery),
    clientIp: query.clientIp,
    optPlatform: query.optPlatform,
    timestampAttribute,
    attributes: values,
  };
}

function readField<Output>(schema: v.GenericSchema<unknown, Output>, body: unknown, wireName: string): Output {
  const result = v.safeParse(schema, field(body, wireName), { abortEarly: true });
  // The issues are not logged, because they repeat the body.
  if (!result.success) throw new RejectedError('badPayload', { field: wireName });
  return result.output;
}
