import type { Delivery } from './delivery.ts';
import type { OfficialAccounts, UpsertResult } from './official-accounts.ts';

/** A callback command that is handled here: one file each. */
export interface Command {
  /** Whole, with its group: other groups' commands end in the same words. */
  name: string;
  /** @throws Refusal where the payload is at fault, and what DynamoDB's client throws. */
  receive(officialAccounts: OfficialAccounts, delivery: Delivery): Promise<UpsertResult>;
  /** How other systems hear of it. */
  announcement: {
    /** The event's detail: its title is the detail type, its properties are the attributes of the record. */
    schema: { title: string; properties: object };
    /** Whether a change of a record is one that this command made. Plain values; undefined where there was no record. */
    isOf(before: Image | undefined, after: Image): boolean;
  };
}
export type Image = Readonly<Record<string, unknown>>;
