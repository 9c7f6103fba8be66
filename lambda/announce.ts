import { unmarshall } from '@aws-sdk/util-dynamodb';
import type { DynamoDBRecord } from 'aws-lambda';
import type { OfficialAccount } from './official-accounts.ts';

/** Of the announcement's shape, and of its JSON Schema: a change that breaks consumers makes it 2. */
const VERSION = 1;

/** The `detail` of the event that other systems get; `official-account-created.schema.json` says the same. */
export type OfficialAccountCreated = { version: typeof VERSION } & OfficialAccount;

/** What others may have added to a record is not ours to announce. */
const ATTRIBUTES = Object.keys({
  sdkAppId: true,
  officialAccountId: true,
  name: true,
  ownerAccount: true,
  operatorAccount: true,
  createdTime: true,
  eventTime: true,
  receivedTime: true,
  clientIp: true,
  optPlatform: true,
} satisfies Record<keyof OfficialAccount, true>) as (keyof OfficialAccount)[];

/**
 * Makes announcements of changes to the table: one for each event that the table took. The enrichment of the pipe
 * from the table's stream to the event bus.
 *
 * A function and not the pipe's own input template: that doesn't escape quotes and backslashes in a name, and can't
 * leave out what isn't there.
 *
 * @returns the events' `detail`s, in the order of the changes, none for a change that is no event of Tencent's.
 * @see https://docs.aws.amazon.com/eventbridge/latest/userguide/pipes-enrichment.html
 */
export async function handler(records: readonly DynamoDBRecord[]): Promise<OfficialAccountCreated[]> {
  return records.flatMap(({ dynamodb }) => {
    const [before, after] = [plain(dynamodb?.OldImage), plain(dynamodb?.NewImage)];
    // Deleted, or changed by others: people may add attributes of their own.
    if (after === undefined || after['eventTime'] === before?.['eventTime']) return [];
    return [announcement(after)];
  });
}

type Image = NonNullable<DynamoDBRecord['dynamodb']>['NewImage'];

/** Plain values, whatever people have added: an error here would hold up all changes behind it. */
function plain(image: Image): Record<string, unknown> | undefined {
  return image && unmarshall(image as Parameters<typeof unmarshall>[0], { wrapNumbers: Number });
}

function announcement(record: Record<string, unknown>): OfficialAccountCreated {
  const attributes = ATTRIBUTES.filter((name) => name in record).map((name) => [name, record[name]]);
  return { version: VERSION, ...Object.fromEntries(attributes) };
}
