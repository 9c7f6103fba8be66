import type { Command } from './command.ts';
import { officialAccountChanged } from './official-account-changed.ts';
import { officialAccountCreated } from './official-account-created.ts';
import { officialAccountDestroyed } from './official-account-destroyed.ts';
import { officialAccountFull } from './official-account-full.ts';

/**
 * Callback commands that the receiver handles, by name.
 *
 * A change of a record is published as the event of the first command that matches. `officialAccountChanged` is the
 * last one with an event, because the other commands also change profile attributes.
 */
export const COMMANDS: ReadonlyMap<unknown, Command> = new Map(
  [officialAccountCreated, officialAccountDestroyed, officialAccountFull, officialAccountChanged].map((command) => [
    command.name,
    command,
  ]),
);

const commands = [...COMMANDS.values()];

/** Names of the profile attributes that commands set. */
export const PROFILE_ATTRIBUTES: readonly string[] = [
  ...new Set(commands.flatMap(({ attributes }) => Object.keys(attributes))),
];

/** Names of the timestamp attributes that commands set, `createdTime` included. */
export const TIMESTAMP_ATTRIBUTES: readonly string[] = [
  ...new Set(commands.flatMap(({ timestampAttribute }) => timestampAttribute ?? [])),
];
