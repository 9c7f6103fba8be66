import { PROFILE_ATTRIBUTES, TIMESTAMP_ATTRIBUTES } from './commands/index.ts';

/** One event of an official account. All times are Unix milliseconds. */
export interface AccountEvent {
  sdkAppId: string;
  officialAccountId: string;
  eventTime: number;
  receivedTime: number;
  clientIp: string | undefined;
  optPlatform: string | undefined;
  /** Attribute that takes `eventTime`. If it is `createdTime`, the event is a creation: it removes all older values. */
  timestampAttribute?: string | undefined;
  /** Profile attributes that the event sets. An undefined value leaves the attribute unchanged. */
  attributes: Readonly<Record<string, string | undefined>>;
}

/**
 * Attributes of a record. Custom attributes may be among them.
 *
 * A profile attribute has its own timestamp, for example `nameTime`, if another event than the creation has set it. A
 * value from the creation has none: its time is `createdTime`.
 */
export type AccountRecord = Readonly<Record<string, string | number | undefined>>;

/** New values of attributes. An undefined value removes the attribute. */
export type Changes = Readonly<Record<string, string | number | undefined>>;

/** All timestamps of events after the creation. */
const TIMESTAMPS_AFTER_CREATION = TIMESTAMP_ATTRIBUTES.filter((name) => name !== 'createdTime');

/**
 * Merges an event into a record. For each attribute the newest event wins, in any order of arrival.
 *
 * Ties, when two events have the same `eventTime`:
 * - A creation counts as older than any other event, except for `optPlatform` and `clientIp`.
 * - Of two creations, or two other events, the greater value wins, compared with `>`.
 * - `optPlatform` and `clientIp` are compared as one value, so that both come from the same event.
 *
 * A newer creation starts a new account: values of earlier events are those of the older account, and are removed.
 *
 * So the result does not depend on the order of arrival, except for `receivedTime` and the number of writes.
 *
 * @returns the changes, which are empty if the event is repeated, or if all that it sets already has newer values.
 */
export function mergeEvent(event: AccountEvent, record: AccountRecord): Changes {
  const createdTime = latestTime('createdTime', event, record);
  const merged: Record<string, string | number | undefined> = { createdTime };
  const isOfOlderAccount = (time: number) => createdTime !== undefined && time < createdTime;
  for (const name of TIMESTAMPS_AFTER_CREATION) {
    const time = latestTime(name, event, record);
    merged[name] = time === undefined || isOfOlderAccount(time) ? undefined : time;
  }
  for (const name of PROFILE_ATTRIBUTES) {
    const newest = latest(fromRecord(name, record), fromEvent(name, event));
    const isValid = newest !== undefined && !isOfOlderAccount(newest.time);
    merged[name] = isValid ? newest.value : undefined;
    merged[timestampOf(name)] = isValid && !newest.isFromCreation ? newest.time : undefined;
  }
  const { eventTime, receivedTime, clientIp, optPlatform } = event;
  if (eventTime === record['eventTime']) {
    if (hasGreaterOrigin(event, record)) Object.assign(merged, { clientIp, optPlatform });
  } else if (latestTime('eventTime', event, record) === eventTime) {
    Object.assign(merged, { eventTime, receivedTime, clientIp, optPlatform });
  }
  return Object.fromEntries(Object.entries(merged).filter(([name, value]) => value !== record[name]));
}

/**
 * Merges an event that is newer than the record, without reading the record: most events arrive in order.
 *
 * @returns changes with the same result as those of {@link mergeEvent}.
 */
export function mergeNewestEvent(event: AccountEvent): Changes {
  const { eventTime, receivedTime, clientIp, optPlatform, timestampAttribute, attributes } = event;
  const isCreation = timestampAttribute === 'createdTime';
  const changes: Record<string, string | number | undefined> = {
    ...(isCreation && WITHOUT_OLDER_VALUES),
    ...(timestampAttribute && { [timestampAttribute]: eventTime }),
    eventTime,
    receivedTime,
    clientIp,
    optPlatform,
  };
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined) continue;
    changes[name] = value;
    changes[timestampOf(name)] = isCreation ? undefined : eventTime;
  }
  return changes;
}

const timestampOf = (profileAttribute: string) => `${profileAttribute}Time`;

const WITHOUT_OLDER_VALUES: Changes = Object.fromEntries(
  [...PROFILE_ATTRIBUTES.flatMap((name) => [name, timestampOf(name)]), ...TIMESTAMPS_AFTER_CREATION].map((name) => [
    name,
    undefined,
  ]),
);

/**
 * Returns the value of a timestamp attribute or `eventTime` after the merge. If the event sets the attribute, this is
 * the later of the record's value and the event's time; otherwise it is the record's value.
 */
function latestTime(
  name: string,
  { timestampAttribute, eventTime }: AccountEvent,
  record: AccountRecord,
): number | undefined {
  const recordTime = record[name];
  const isSet = name === timestampAttribute || name === 'eventTime';
  if (recordTime === undefined) return isSet ? eventTime : undefined;
  return isSet ? Math.max(Number(recordTime), eventTime) : Number(recordTime);
}

/** A value of a profile attribute with the time of its event. */
interface TimedValue {
  value: string;
  time: number;
  isFromCreation: boolean;
}

function fromRecord(name: string, record: AccountRecord): TimedValue | undefined {
  const [value, ownTime] = [record[name], record[timestampOf(name)]];
  if (value === undefined) return undefined;
  const isFromCreation = ownTime === undefined;
  return { value: String(value), time: Number(isFromCreation ? record['createdTime'] : ownTime), isFromCreation };
}

function fromEvent(name: string, event: AccountEvent): TimedValue | undefined {
  const value = event.attributes[name];
  if (value === undefined) return undefined;
  return { value, time: event.eventTime, isFromCreation: event.timestampAttribute === 'createdTime' };
}

function latest(a: TimedValue | undefined, b: TimedValue | undefined): TimedValue | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  if (a.time !== b.time) return a.time > b.time ? a : b;
  if (a.isFromCreation !== b.isFromCreation) return a.isFromCreation ? b : a;
  return a.value > b.value ? a : b;
}

/**
 * Returns whether the event's optPlatform and clientIp are greater than the record's: platform first, then address.
 *
 * For these two attributes, a creation does not count as older, because the record does not store which event set them.
 */
function hasGreaterOrigin({ optPlatform, clientIp }: AccountEvent, record: AccountRecord): boolean {
  return optPlatform === record['optPlatform']
    ? isGreater(clientIp, record['clientIp'])
    : isGreater(optPlatform, record['optPlatform']);
}

/** Compares with `>`. An absent value is less than any other. */
function isGreater<Value extends string | number>(a: Value | undefined, b: Value | undefined): boolean {
  return a !== undefined && (b === undefined || a > b);
}
