import { unmarshall } from '@aws-sdk/util-dynamodb';
import type { Command, Image } from './commands/command.ts';
import { COMMANDS } from './commands/index.ts';
import officialAccount from './commands/official-account.schema.json' with { type: 'json' };

/** Version of the details' shape and of their JSON Schemas. A change that breaks consumers makes it 2. */
const VERSION = 1;

/** An event for other systems. */
export interface OfficialAccountEvent {
  detailType: string;
  detail: EventDetail;
}

/** The `detail` of an event: the JSON Schema of its type says what it holds. */
export type EventDetail = { version: typeof VERSION; type: string } & Record<string, unknown>;

/** A record as DynamoDB and its stream hold it: attribute values with their types. */
export type Item = Parameters<typeof unmarshall>[0];

/** The reason why a record cannot become an event, now or later. It names an attribute, but never its value. */
export class UnpublishableError extends Error {
  override name = 'UnpublishableError';
}

/**
 * Returns the event that a change of a record is. It is one at most: that of the first command in the table which may have
 * made the change.
 *
 * @returns undefined where the change is no event of Tencent's: people change and remove records too.
 * @throws UnpublishableError where the event would not meet its JSON Schema.
 */
export function eventOfChange(before: Item | undefined, after: Item | undefined): OfficialAccountEvent | undefined {
  // Deleted by people: Tencent's destruction of an account keeps its record.
  if (after === undefined) return undefined;
  const [old, record] = [before && withoutWrongTypes(imageOf(before)), imageOf(after)];
  const command = [...COMMANDS.values()].find(({ event }) => event.matches(old, record));
  return command && makeEvent(command, record, old);
}

/**
 * Makes the event of a command from a record.
 *
 * @param before the record before the change. Only the event of a changed profile holds something of it.
 * @throws UnpublishableError where the event would not meet its JSON Schema.
 */
export function makeEvent({ event }: Command, record: Image, before?: Image): OfficialAccountEvent {
  const { schema, details } = event;
  const wrong = Object.keys(record).find((name) => !isOfItsType(name, record[name]));
  if (wrong !== undefined) throw new UnpublishableError(`${wrong} is of another type than the JSON Schema says`);
  const detail = { ...record, ...details?.(before, record), version: VERSION, type: schema.title } as const;
  const missing = [...officialAccount.required, ...schema.required].find((name) => !(name in detail));
  if (missing !== undefined) throw new UnpublishableError(`${missing} is missing`);
  return { detailType: schema.title, detail };
}

/**
 * Reads the attributes that the JSON Schema names, as plain values. Others were added by people, and are not published.
 *
 * @throws UnpublishableError where an attribute is of a type that the SDK does not know.
 */
export function imageOf(item: Item): Image {
  const attributes = Object.entries(item).filter(([name]) => Object.hasOwn(ATTRIBUTES, name));
  try {
    return unmarshall(Object.fromEntries(attributes), { wrapNumbers: Number });
  } catch (error) {
    throw new UnpublishableError('an attribute is of a type that the SDK does not know', { cause: error });
  }
}

const ATTRIBUTES: Readonly<Record<string, { type: string }>> = officialAccount.properties;

/** Leaves out what people have made of another type, because `previous` may not hold it. */
function withoutWrongTypes(record: Image): Image {
  return Object.fromEntries(Object.entries(record).filter(([name, value]) => isOfItsType(name, value)));
}

function isOfItsType(name: string, value: unknown): boolean {
  const type = ATTRIBUTES[name]?.type;
  return type === 'integer' ? Number.isInteger(value) : typeof value === type;
}
