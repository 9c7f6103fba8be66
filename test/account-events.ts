import * as fc from 'fast-check';
import type { Command } from '../lambda/commands/command.ts';
import { COMMANDS, PROFILE_ATTRIBUTES } from '../lambda/commands/index.ts';
import { readEvent } from '../lambda/commands/payload.ts';
import type { AccountEvent } from '../lambda/official-account.ts';
import type { Delivery } from '../lambda/delivery.ts';
import { delivery, RECEIVED } from './delivery.ts';

/** EventTime of the oldest event, near that of the documented samples. */
export const FIRST_EVENT_TIME = 1_670_574_414_000;
/** Any of `count` times, one millisecond apart. */
export const eventTimes = (count: number) => fc.nat(count - 1).map((n) => FIRST_EVENT_TIME + n);

const APP_AND_ID = { sdkAppId: '1400000000', officialAccountId: '@TOA#_test_OA_for_penn' };

/** Attributes that a record may have after any event. */
export const COMMON_ATTRIBUTES = [
  'sdkAppId',
  'officialAccountId',
  'eventTime',
  'receivedTime',
  'clientIp',
  'optPlatform',
  'revision',
];

/** Few values, so that events often agree. Each of them compares differently. */
const text = fc.constantFrom('', 'A', 'a', 'ä', '新闻', '新闻公众号', '😀', '\uffff');
const optionalText = fc.oneof(fc.constant(undefined), text);

/** Any event of a command, with all required attributes and some optional ones. */
function eventOf({ timestampAttribute, attributes }: Command): fc.Arbitrary<AccountEvent> {
  const values = Object.entries(attributes).map(([name, { isOptional }]) => [name, isOptional ? optionalText : text]);
  return fc
    .record({
      eventTime: eventTimes(8),
      receivedTime: fc.nat(1_000),
      clientIp: optionalText,
      optPlatform: optionalText,
      attributes: fc.record(Object.fromEntries(values) as Record<string, typeof optionalText>),
    })
    .map((event) => ({ ...APP_AND_ID, ...event, timestampAttribute }));
}

/** Any event of one account. There are few different times, so that many events have the same one. */
export const accountEvent: fc.Arbitrary<AccountEvent> = fc.oneof(
  ...[...COMMANDS.values()].map((command) => ({
    arbitrary: eventOf(command),
    weight: command.timestampAttribute === undefined ? 2 : 1,
  })),
);

/** Events in an order of arrival. Each arrives at least once; some also arrive before or after. */
export const arrivals: fc.Arbitrary<AccountEvent[]> = fc
  .array(accountEvent, { minLength: 1, maxLength: 8 })
  .chain((events) =>
    fc.tuple(
      fc.array(fc.constantFrom(...events), { maxLength: 4 }),
      fc.shuffledSubarray(events, { minLength: events.length }),
      fc.array(fc.constantFrom(...events), { maxLength: 2 }),
    ),
  )
  .map((parts) => parts.flat());

/**
 * Computes the record after all these events, independently of the code under test. It applies the events in the order
 * of their times. Of events with the same time, it applies creations first. Platform and address come from one event of
 * the newest time. The result has no bookkeeping: no times of attributes, no revision, and no receivedTime, which
 * depends on the order of arrival.
 */
export function modelOf(events: readonly AccountEvent[]): Record<string, unknown> {
  let record: Record<string, unknown> = {};
  for (const time of [...new Set(events.map(({ eventTime }) => eventTime))].toSorted((a, b) => a - b)) {
    const now = events.filter(({ eventTime }) => eventTime === time);
    const creations = now.filter(({ timestampAttribute }) => timestampAttribute === 'createdTime');
    const others = now.filter(({ timestampAttribute }) => timestampAttribute !== 'createdTime');
    if (creations.length > 0) record = { createdTime: time, ...greatest(creations.map((event) => event.attributes)) };
    Object.assign(record, greatest(others.map((event) => event.attributes)));
    for (const { timestampAttribute } of others)
      if (timestampAttribute !== undefined) record[timestampAttribute] = time;
    const { clientIp: _, optPlatform: __, ...rest } = record;
    record = { ...rest, eventTime: time, ...origin(now) };
  }
  return { ...APP_AND_ID, ...record };
}

/** Returns the greatest value of each attribute. */
function greatest(all: readonly Record<string, string | undefined>[]): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [name, value] of all.flatMap((each) => Object.entries(each))) {
    if (value !== undefined && !(name in found && found[name]! > value)) found[name] = value;
  }
  return found;
}

/**
 * Returns platform and address of the event with the greatest platform, and of these the one with the greatest address.
 */
function origin(events: readonly AccountEvent[]): Record<string, string> {
  const [greatestEvent] = events.toSorted(
    (a, b) => descending(a.optPlatform, b.optPlatform) || descending(a.clientIp, b.clientIp),
  );
  const { optPlatform, clientIp } = greatestEvent ?? {};
  return { ...(optPlatform !== undefined && { optPlatform }), ...(clientIp !== undefined && { clientIp }) };
}

/** Compares in descending order. Absent values are last. */
function descending(a: string | undefined, b: string | undefined): number {
  if (a === b) return 0;
  return b === undefined || (a !== undefined && a > b) ? -1 : 1;
}

/** Returns the attributes of a record that the model also has. */
export function visible(record: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const bookkeeping = new Set(['receivedTime', 'revision', ...PROFILE_ATTRIBUTES.map((name) => `${name}Time`)]);
  return Object.fromEntries(Object.entries(record).filter(([name]) => !bookkeeping.has(name)));
}

/** Returns the body that Chat sends for an event. */
export function payloadOf(event: AccountEvent): Record<string, unknown> {
  const { officialAccountId, eventTime, timestampAttribute, attributes } = event;
  const command = [...COMMANDS.values()].find(
    (each) =>
      each.timestampAttribute === timestampAttribute &&
      Object.keys(attributes).every((name) => name in each.attributes),
  );
  if (command === undefined) throw new Error('no command has this event');
  const fields = Object.entries(command.attributes).map(([name, { wireName }]) => [wireName, attributes[name]]);
  return {
    CallbackCommand: command.name,
    Official_Account: officialAccountId,
    ...Object.fromEntries(fields),
    EventTime: eventTime,
  };
}

/** Returns the delivery of an event, in the form that the checks get. */
export function deliveryOf(event: AccountEvent): Delivery {
  return delivery((correct) => {
    const { CallbackCommand, ...payload } = JSON.parse(JSON.stringify(payloadOf(event)));
    correct.query = { sdkAppId: event.sdkAppId, callbackCommand: CallbackCommand };
    if (event.clientIp !== undefined) correct.query.clientIp = event.clientIp;
    if (event.optPlatform !== undefined) correct.query.optPlatform = event.optPlatform;
    correct.requestContext.timeEpoch = RECEIVED + event.receivedTime;
    correct.body = payload;
  });
}

/** The event that a command reads from a delivery. */
export function eventIn(command: Command, change?: (delivery: Delivery) => void): AccountEvent {
  return readEvent(command, delivery(change));
}
