import { unmarshall } from '@aws-sdk/util-dynamodb';
import type { DynamoDBRecord } from 'aws-lambda';
import type { Image } from './command.ts';
import { COMMANDS } from './commands.ts';
import officialAccount from './official-account.schema.json' with { type: 'json' };

/** The version of the announcements' shape and of their JSON Schemas. A change that breaks consumers makes it 2. */
const VERSION = 1;

/** The `detail` of the event that other systems get: a command's JSON Schema says what it holds. */
export type Announcement = { version: typeof VERSION; type: string } & Record<string, unknown>;

/**
 * Makes announcements of changes to the table, one at most for each: a pipe whose enrichment answers more than the event
 * bus takes at once sends none. It is the enrichment of the pipe from the table's stream to the event bus.
 *
 * A function and not the pipe's own input template: that doesn't escape quotes and backslashes in a name, and can't
 * leave out what isn't there.
 *
 * @returns the events' `detail`s, in the order of the changes, none for a change that is no event of Tencent's.
 * @see https://docs.aws.amazon.com/eventbridge/latest/userguide/pipes-enrichment.html
 */
export async function handler(records: readonly DynamoDBRecord[]): Promise<Announcement[]> {
  return records.flatMap(({ dynamodb }) => {
    const [before, after] = [plain(dynamodb?.OldImage), plain(dynamodb?.NewImage)];
    // Deleted by people: Tencent's destruction of an account keeps its record.
    if (after === undefined) return [];
    const command = [...COMMANDS.values()].find(({ announcement }) => announcement.isOf(before, after));
    if (command === undefined) return [];
    const { schema, details } = command.announcement;
    return [{ ...attributesOf(after), ...details?.(before, after), version: VERSION, type: schema.title }];
  });
}

type StreamImage = NonNullable<DynamoDBRecord['dynamodb']>['NewImage'];

/** Gives plain values, whatever people have added: an error here would hold up all changes behind it. */
function plain(image: StreamImage): Image | undefined {
  return image && unmarshall(image as Parameters<typeof unmarshall>[0], { wrapNumbers: Number });
}

/** Gives the attributes that the schema names. Others may have been added by people, and are not announced. */
function attributesOf(record: Image): Image {
  const names = Object.keys(officialAccount.properties).filter((name) => name in record);
  return Object.fromEntries(names.map((name) => [name, record[name]]));
}
