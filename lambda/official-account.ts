/**
 * AccountRecord that an event may say. One that does not come from the creation has its time beside it, as `name` has
 * `nameTime`.
 */
const TEXTS = ['name', 'introduction', 'faceUrl', 'organization', 'ownerAccount', 'operatorAccount'] as const;
type Text = (typeof TEXTS)[number];

/** AccountRecord that take the time of an event after the creation. */
const MARKS = ['destroyedTime', 'lastFullTime'] as const;
type Mark = (typeof MARKS)[number];

/** One event in the life of an official account. All times are Unix milliseconds. */
export interface AccountEvent {
  sdkAppId: string;
  officialAccountId: string;
  eventTime: number;
  receivedTime: number;
  clientIp: string | undefined;
  optPlatform: string | undefined;
  /** The attribute that takes the event's time. `createdTime` begins a new account: nothing older remains of it. */
  timestampAttribute?: 'createdTime' | Mark;
  /** AccountRecord that it says: an absent one stays as it is, an empty one is empty from now on. */
  attributes: Partial<Record<Text, string | undefined>>;
}

/** AccountRecord of a record, as far as they are attributes and numbers. Where it is changed, undefined removes one. */
export type AccountRecord = Readonly<Record<string, string | number | undefined>>;

/**
 * Says what an event changes in its account's record, so that the record ends as if all events had come once each, in
 * the order of their EventTime, whatever order they come in and however often: each text is that of the newest event
 * that says it.
 *
 * Of events with the same EventTime a creation comes first. Of two attributes that are still as new as each other the
 * greater stays, compared by UTF-16 code units. optPlatform and clientIp are compared as one value, so that both come
 * from one event. So the end never depends on which delivery came first, except for receivedTime.
 *
 * @param record what the table holds; attributes that people have added don't matter.
 * @returns the attributes to change: none where the record already holds all that the event says.
 */
export function mergeEvent(event: AccountEvent, record: AccountRecord): AccountRecord {
  const createdTime = latest('createdTime', event, record);
  const after: Record<string, string | number | undefined> = { createdTime };
  const isLeftOver = (time: number) => createdTime !== undefined && time < createdTime;
  for (const mark of MARKS) {
    const time = latest(mark, event, record);
    after[mark] = time === undefined || isLeftOver(time) ? undefined : time;
  }
  for (const text of TEXTS) {
    const newest = newer(recorded(text, record), said(text, event));
    const stays = newest !== undefined && !isLeftOver(newest.time);
    after[text] = stays ? newest.value : undefined;
    after[timeName(text)] = stays && !newest.isOfCreation ? newest.time : undefined;
  }
  const { eventTime, receivedTime, clientIp, optPlatform } = event;
  if (eventTime === record['eventTime']) {
    if (hasGreaterOrigin(event, record)) Object.assign(after, { clientIp, optPlatform });
  } else if (latest('eventTime', event, record) === eventTime) {
    Object.assign(after, { eventTime, receivedTime, clientIp, optPlatform });
  }
  return Object.fromEntries(Object.entries(after).filter(([name, value]) => value !== record[name]));
}

/**
 * Says the same as {@link mergeEvent} of an event that is newer than all that the record holds, without knowing what it
 * holds: nearly every event comes in order, and needs no read.
 */
export function mergeNewestEvent(event: AccountEvent): AccountRecord {
  const { eventTime, receivedTime, clientIp, optPlatform, timestampAttribute, attributes } = event;
  const isCreation = timestampAttribute === 'createdTime';
  const changes: Record<string, string | number | undefined> = {
    ...(isCreation && NOTHING_OLDER),
    ...(timestampAttribute && { [timestampAttribute]: eventTime }),
    eventTime,
    receivedTime,
    clientIp,
    optPlatform,
  };
  for (const [text, value] of Object.entries(attributes)) {
    if (value === undefined) continue;
    changes[text] = value;
    changes[timeName(text)] = isCreation ? undefined : eventTime;
  }
  return changes;
}

const timeName = (text: string) => `${text}Time`;

/** Removes all that a creation leaves nothing of. */
const NOTHING_OLDER: AccountRecord = Object.fromEntries(
  [...TEXTS.flatMap((text) => [text, timeName(text)]), ...MARKS].map((name) => [name, undefined]),
);

/** The time of the newest event of its kind: `eventTime` is of all kinds. */
function latest(
  name: string,
  { timestampAttribute, eventTime }: AccountEvent,
  record: AccountRecord,
): number | undefined {
  const before = record[name];
  const isOfItsKind = name === timestampAttribute || name === 'eventTime';
  if (before === undefined) return isOfItsKind ? eventTime : undefined;
  return isOfItsKind ? Math.max(Number(before), eventTime) : Number(before);
}

/** A text, and the event that it comes from. */
interface Dated {
  value: string;
  time: number;
  isOfCreation: boolean;
}

function recorded(text: Text, record: AccountRecord): Dated | undefined {
  const [value, ownTime] = [record[text], record[timeName(text)]];
  if (value === undefined) return undefined;
  // A version before 0.2 leaves the time of the text that its creation has replaced.
  const isOfCreation = ownTime === undefined || Number(ownTime) < Number(record['createdTime']);
  return { value: String(value), time: Number(isOfCreation ? record['createdTime'] : ownTime), isOfCreation };
}

function said(text: Text, { attributes, eventTime, timestampAttribute }: AccountEvent): Dated | undefined {
  const value = attributes[text];
  return value === undefined
    ? undefined
    : { value, time: eventTime, isOfCreation: timestampAttribute === 'createdTime' };
}

function newer(a: Dated | undefined, b: Dated | undefined): Dated | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  if (a.time !== b.time) return a.time > b.time ? a : b;
  if (a.isOfCreation !== b.isOfCreation) return a.isOfCreation ? b : a;
  return a.value > b.value ? a : b;
}

/**
 * Compares optPlatform and clientIp of an event with those of the record: platform first, then address, as one value.
 * The kind of the event does not count. A change without attributes leaves nothing else in the record, so that the record
 * could not tell whether its values are those of a creation.
 */
function hasGreaterOrigin({ optPlatform, clientIp }: AccountEvent, record: AccountRecord): boolean {
  return optPlatform === record['optPlatform']
    ? isGreater(clientIp, record['clientIp'])
    : isGreater(optPlatform, record['optPlatform']);
}

/** Compares by UTF-16 code units. An absent value is less than any other. */
function isGreater<Value extends string | number>(a: Value | undefined, b: Value | undefined): boolean {
  return a !== undefined && (b === undefined || a > b);
}
