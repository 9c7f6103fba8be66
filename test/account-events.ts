import * as fc from 'fast-check';
import type { AccountEvent } from '../lambda/official-account.ts';
import type { Delivery } from '../lambda/delivery.ts';
import type { OfficialAccounts } from '../lambda/official-accounts-table.ts';
import { delivery, RECEIVED } from './delivery.ts';

/** EventTime of the oldest event, near the documented samples'. */
export const FIRST_EVENT_TIME = 1_670_574_414_000;
/** Any of `count` times, a millisecond apart. */
export const eventTimes = (count: number) => fc.nat(count - 1).map((n) => FIRST_EVENT_TIME + n);

const APP_AND_ID = { sdkAppId: '1400000000', officialAccountId: '@TOA#_test_OA_for_penn' };

/** Few, so that events often agree, and of every kind that compares in a way of its own. */
const attributes = fc.constantFrom('', 'A', 'a', 'ä', '新闻', '新闻公众号', '😀', '\uffff');
const absent = fc.constant(undefined);
const maybe = fc.oneof(absent, attributes);
const CREATION = {
  timestampAttribute: fc.constant('createdTime' as const),
  attributes: fc.record({ name: attributes, ownerAccount: attributes, operatorAccount: attributes }),
};
const CHANGE = {
  timestampAttribute: absent,
  attributes: fc.record({
    name: maybe,
    introduction: maybe,
    faceUrl: maybe,
    organization: maybe,
    operatorAccount: maybe,
  }),
};
const DESTRUCTION = {
  timestampAttribute: fc.constant('destroyedTime' as const),
  attributes: fc.record({ name: maybe, ownerAccount: maybe }),
};
const FULL = { timestampAttribute: fc.constant('lastFullTime' as const), attributes: fc.constant({}) };

/** Any event of one account. Its times are few, so that many have the same. */
export const accountEvent: fc.Arbitrary<AccountEvent> = fc.oneof(
  ...[CREATION, CHANGE, CHANGE, DESTRUCTION, FULL].map(({ timestampAttribute, attributes: saying }) =>
    fc
      .record({
        eventTime: eventTimes(8),
        receivedTime: fc.nat(1_000),
        clientIp: maybe,
        optPlatform: maybe,
        timestampAttribute,
        attributes: saying,
      })
      .map(({ timestampAttribute: mark, ...event }): AccountEvent => ({
        ...APP_AND_ID,
        ...event,
        ...(mark && { timestampAttribute: mark }),
      })),
  ),
);

/** Events, and the order in which they arrive: each at least once, some again before or after. */
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
 * What a record holds after all these events, told without the code under test: time after time, and of the same time
 * first what creates, then all else. Platform and address are those of one event of the newest time, whatever its kind.
 * What only keeps the books (the times of attributes, the revision) is left out, and so is receivedTime, for which of two
 * events with the same time arrived first is no matter of theirs.
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

/** Of each text that is there the greatest. */
function greatest(all: readonly Record<string, string | undefined>[]): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [name, value] of all.flatMap((each) => Object.entries(each))) {
    if (value !== undefined && !(name in found && found[name]! > value)) found[name] = value;
  }
  return found;
}

/** Platform and address of the event with the greatest platform and, of these, the greatest address. */
function origin(events: readonly AccountEvent[]): Record<string, string> {
  const [greatestEvent] = events.toSorted(
    (a, b) => descending(a.optPlatform, b.optPlatform) || descending(a.clientIp, b.clientIp),
  );
  const { optPlatform, clientIp } = greatestEvent ?? {};
  return { ...(optPlatform !== undefined && { optPlatform }), ...(clientIp !== undefined && { clientIp }) };
}

/** Orders what is absent last. */
function descending(a: string | undefined, b: string | undefined): number {
  if (a === b) return 0;
  return b === undefined || (a !== undefined && a > b) ? -1 : 1;
}

/** Of a record what a model holds. */
export function visible(record: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const isBookkeeping = (name: string) =>
    ['receivedTime', 'revision'].includes(name) ||
    /^(name|introduction|faceUrl|organization|\w+Account)Time$/.test(name);
  return Object.fromEntries(Object.entries(record).filter(([name]) => !isBookkeeping(name)));
}

const COMMANDS = {
  createdTime: 'OfficialAccount.CallbackAfterCreateOfficialAccount',
  changed: 'OfficialAccount.CallbackAfterOfficialAccountInfoChanged',
  destroyedTime: 'OfficialAccount.CallbackAfterOfficialAccountDestroyed',
  lastFullTime: 'OfficialAccount.CallbackAfterOfficialAccountFull',
};

/** The command and the body that Chat sends of an event. */
export function payloadOf({
  officialAccountId,
  eventTime,
  timestampAttribute,
  attributes,
}: AccountEvent): Record<string, unknown> {
  return {
    CallbackCommand: COMMANDS[timestampAttribute ?? 'changed'],
    Official_Account: officialAccountId,
    Operator_Account: attributes.operatorAccount,
    Owner_Account: attributes.ownerAccount,
    Name: attributes.name,
    Introduction: attributes.introduction,
    FaceUrl: attributes.faceUrl,
    Organization: attributes.organization,
    EventTime: eventTime,
  };
}

/** The delivery of an event, on its way through the checks. */
export function deliveryOf(event: AccountEvent): Delivery {
  return delivery((right) => {
    const { CallbackCommand, ...payload } = JSON.parse(JSON.stringify(payloadOf(event)));
    right.query = { sdkAppId: event.sdkAppId, callbackCommand: CallbackCommand };
    if (event.clientIp !== undefined) right.query.clientIp = event.clientIp;
    if (event.optPlatform !== undefined) right.query.optPlatform = event.optPlatform;
    right.requestContext.timeEpoch = RECEIVED + event.receivedTime;
    right.body = payload;
  });
}

/** Receives a delivery, and tells the events that were to be applied. */
export async function received(
  receive: (officialAccounts: OfficialAccounts, delivery: Delivery) => Promise<string>,
  change?: Parameters<typeof delivery>[0],
): Promise<{ outcome: string; events: AccountEvent[] }> {
  const events: AccountEvent[] = [];
  const apply = async (event: AccountEvent) => {
    events.push(event);
    return 'stored' as const;
  };
  return { outcome: await receive({ apply }, delivery(change)), events };
}
