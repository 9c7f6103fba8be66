import { unmarshall } from '@aws-sdk/util-dynamodb';
import type { Command, CommandEvent, Image } from './commands/command.ts';
import { COMMANDS } from './commands/index.ts';
import officialAccount from './commands/official-account.schema.json' with { type: 'json' };

/** Version of the shape of `detail` and of its JSON Schemas. A breaking change makes it 2. */
const VERSION = 1;

/** An event for other systems. */
export interface PublishedEvent {
  detailType: string;
  detail: EventDetail;
}

/** The `detail` of an event. The JSON Schema of its type describes it. */
export type EventDetail = { version: typeof VERSION; type: string } & Record<string, unknown>;

/** A record as DynamoDB and its stream represent it: attribute values with their types. */
export type Item = Parameters<typeof unmarshall>[0];

/** The change can never be published. The message may name an attribute, but never its value. */
export class UnpublishableError extends Error {
  override name = 'UnpublishableError';
}

/**
 * Returns the event for a change of a record. The first matching command in COMMANDS determines it.
 *
 * @returns undefined if no command with an event matches the change.
 * @throws UnpublishableError if the event would violate its JSON Schema.
 */
export function eventOfChange(
  before: Item | undefined,
  after: Item | undefined,
  commands: Iterable<Command> = COMMANDS.values(),
): PublishedEvent | undefined {
  // Somebody has deleted the record. If Chat destroys an account, its record stays.
  if (after === undefined) return undefined;
  const [old, record] = [before && withoutWrongTypes(imageOf(before)), imageOf(after)];
  const command = [...commands].find((each) => matches(each, old, record));
  return command?.event && makeEvent({ event: command.event }, record, old);
}

function matches({ event, timestampAttribute }: Command, before: Image | undefined, after: Image): boolean {
  if (event?.matches !== undefined) return event.matches(before, after);
  if (event === undefined || timestampAttribute === undefined) return false;
  return after[timestampAttribute] !== undefined && after[timestampAttribute] !== before?.[timestampAttribute];
}

/**
 * Creates the event of a command from a record.
 *
 * @param before the record before the change. Only the event of a changed profile uses it.
 * @throws UnpublishableError if the event would violate its JSON Schema.
 */
export function makeEvent({ event }: { event: CommandEvent }, record: Image, before?: Image): PublishedEvent {
  const { schema, details } = event;
  const wrong = Object.keys(record).find((name) => !hasRightType(name, record[name]));
  if (wrong !== undefined) throw new UnpublishableError(`${wrong} is of another type than the JSON Schema says`);
  const detail = { ...record, ...details?.(before, record), version: VERSION, type: schema.title } as const;
  const missing = [...officialAccount.required, ...schema.required].find((name) => !(name in detail));
  if (missing !== undefined) throw new UnpublishableError(`${missing} is missing`);
  return { detailType: schema.title, detail };
}

/**
 * Returns the published attributes of a record as plain values. The JSON Schema names them; custom attributes are not
 * published.
 *
 * @throws UnpublishableError if the SDK does not know the type of an attribute.
 */
export function imageOf(item: Item): Image {
  const attributes = Object.entries(item).filter(([name]) => Object.hasOwn(PUBLISHED_ATTRIBUTES, name));
  try {
    return unmarshall(Object.fromEntries(attributes), { wrapNumbers: Number });
  } catch (error) {
    throw new UnpublishableError('an attribute is of a type that the SDK does not know', { cause: error });
  }
}

const PUBLISHED_ATTRIBUTES: Readonly<Record<string, { type: string }>> = officialAccount.properties;

/** Omits attributes that were changed by hand to another type, because the schema does not allow them in `previous`. */
function withoutWrongTypes(record: Image): Image {
  return Object.fromEntries(Object.entries(record).filter(([name, value]) => hasRightType(name, value)));
}

function hasRightType(name: string, value: unknown): boolean {
  const type = PUBLISHED_ATTRIBUTES[name]?.type;
  return type === 'integer' ? Number.isInteger(value) : typeof value === type;
}
