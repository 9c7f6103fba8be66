import type { Delivery } from '../delivery.ts';
import type { ApplyResult, OfficialAccounts } from '../official-accounts-table.ts';

/** A callback command that is handled here: one file each. */
export interface Command {
  /** The whole CallbackCommand, with its group: commands of other groups end in the same words. */
  name: string;
  /** @throws RejectedError where the payload is at fault, and what DynamoDB's client throws. */
  receive(officialAccounts: OfficialAccounts, delivery: Delivery): Promise<ApplyResult>;
  /** The event that is published for other systems. */
  event: {
    /** The JSON Schema of the event's detail. Its title is the detail type. */
    schema: { $id: string; title: string; required: string[] };
    /** Returns whether this command may have made a change of a record. */
    matches(before: Image | undefined, after: Image): boolean;
    /** Makes what the detail holds beside the record's attributes. */
    details?(before: Image | undefined, after: Image): Record<string, unknown>;
  };
}

/** A record before or after a change, in plain values. There is none before it is made. */
export type Image = Readonly<Record<string, unknown>>;

/** Matches the changes that give an attribute of time a new value. */
export function isNewTime(name: string): Command['event']['matches'] {
  return (before, after) => after[name] !== undefined && after[name] !== before?.[name];
}
