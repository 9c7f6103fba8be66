import * as v from 'valibot';
import { receivedTime, type Delivery } from '../delivery.ts';
import { MAX_AHEAD_MS, MAX_KEY_BYTES, MIN_EVENT_TIME_MS } from '../limits.ts';
import type { AccountEvent } from '../official-account.ts';
import { RejectedError } from '../outcomes.ts';

/** A text to store. DynamoDB refuses half a surrogate pair; a damaged name is still worth keeping. */
export const text = v.pipe(
  v.string(),
  v.transform((value) => value.toWellFormed()),
);

/** Unix milliseconds. A sister page of Tencent's (1047/34376) shows them as digits, which may have zeros in front. */
const milliseconds = v.pipe(
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

/** The fields that every command about an official account has. */
export const EVENT_FIELDS = {
  Official_Account: v.pipe(
    v.string(),
    v.nonEmpty(),
    v.maxBytes(MAX_KEY_BYTES),
    v.check((value) => value.isWellFormed()),
  ),
  EventTime: milliseconds,
};

/**
 * Reads the event that a delivery tells of.
 *
 * @param schema has {@link EVENT_FIELDS} and what else the command carries.
 * @throws RejectedError with the field at fault.
 */
export function readEvent<Entries extends v.ObjectEntries & typeof EVENT_FIELDS>(
  schema: v.ObjectSchema<Entries, undefined>,
  delivery: Delivery,
): {
  event: Omit<AccountEvent, 'timestampAttribute' | 'attributes'>;
  payload: v.InferOutput<v.ObjectSchema<Entries, undefined>>;
} {
  const { query, body } = delivery;
  const result = v.safeParse(schema, body, { abortEarly: true });
  if (!result.success) {
    const [issue] = result.issues;
    // Only names from the schema: an issue's own text repeats what was sent.
    const name = v.getDotPath(issue);
    throw new RejectedError('badPayload', name === null ? { detail: 'not an object' } : { field: name });
  }
  const { Official_Account, EventTime } = result.output as v.InferOutput<
    v.ObjectSchema<typeof EVENT_FIELDS, undefined>
  >;
  delivery.eventAgeMs = receivedTime(delivery) - EventTime;
  if (delivery.eventAgeMs < -MAX_AHEAD_MS) {
    throw new RejectedError('badPayload', {
      field: 'EventTime',
      detail: `${-delivery.eventAgeMs} ms ahead of the receipt`,
    });
  }
  if (query.sdkAppId === undefined) throw new RejectedError('wrongApp');
  const event = {
    sdkAppId: query.sdkAppId,
    officialAccountId: Official_Account,
    eventTime: EventTime,
    receivedTime: receivedTime(delivery),
    clientIp: query.clientIp,
    optPlatform: query.optPlatform,
  };
  return { event, payload: result.output };
}
