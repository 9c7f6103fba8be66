import {
  ConditionalCheckFailedException,
  UpdateItemCommand,
  type AttributeValue,
  type DynamoDBClient,
} from '@aws-sdk/client-dynamodb';
import type { InTime } from './sdk-client.ts';

/** An official account's record, one item of the table. All times are Unix milliseconds. */
export interface OfficialAccount {
  /** Partition key. */
  sdkAppId: string;
  /** Sort key, byte for byte as Tencent sends it: spaces, `#` and `@` occur. At most 1,024 bytes of UTF-8. */
  officialAccountId: string;
  name: string;
  ownerAccount: string;
  operatorAccount: string;
  /** When it was created at Tencent. */
  createdTime: number;
  /** EventTime of the newest event applied. */
  eventTime: number;
  /** When that event first reached this receiver. */
  receivedTime: number;
  /** The end client's address, where Chat sent it. */
  clientIp: string | undefined;
  /** The end client's platform, where Chat sent it. */
  optPlatform: string | undefined;
}

/** `stale`: the record already holds this event or a newer one, and nothing was changed. */
export type UpsertResult = 'stored' | 'stale';

export interface OfficialAccounts {
  /**
   * Makes the record what this event says, unless it already holds one as new.
   *
   * @throws what the SDK throws when DynamoDB does not take it in time.
   */
  upsert(account: OfficialAccount): Promise<UpsertResult>;
}

/**
 * The DynamoDB table of official accounts.
 *
 * One conditional write, no read before it: whatever order deliveries come in, and however often,
 * the record ends as the newest says, and a repeat changes nothing, so that the table's stream stays silent.
 */
export function officialAccounts(client: DynamoDBClient, tableName: string, inTime: InTime): OfficialAccounts {
  return {
    async upsert({ sdkAppId, officialAccountId, ...attributes }) {
      try {
        const update = new UpdateItemCommand({
          TableName: tableName,
          Key: { sdkAppId: { S: sdkAppId }, officialAccountId: { S: officialAccountId } },
          ConditionExpression: 'attribute_not_exists(eventTime) OR eventTime < :eventTime',
          ...replaceAll(attributes),
        });
        await inTime((options) => client.send(update, options));
        return 'stored';
      } catch (error) {
        if (error instanceof ConditionalCheckFailedException) return 'stale';
        throw error;
      }
    },
  };
}

/** DynamoDB's words, which an expression can't name as they are. The fewer aliases, the less to serialize and to sign. */
const ALIASES = { '#name': 'name' };
const RESERVED = new Map(Object.entries(ALIASES).map(([alias, name]) => [name, alias]));

/** An update that sets every attribute that has a value and removes the others: nothing of an older event remains. */
function replaceAll(attributes: Record<string, string | number | undefined>) {
  const set: string[] = [];
  const remove: string[] = [];
  const values: Record<string, AttributeValue> = {};
  for (const [name, value] of Object.entries(attributes)) {
    const path = RESERVED.get(name) ?? name;
    if (value === undefined) remove.push(path);
    else {
      set.push(`${path} = :${name}`);
      values[`:${name}`] = typeof value === 'number' ? { N: String(value) } : { S: value };
    }
  }
  return {
    UpdateExpression: `SET ${set.join()}${remove.length === 0 ? '' : ` REMOVE ${remove.join()}`}`,
    ExpressionAttributeNames: ALIASES,
    ExpressionAttributeValues: values,
  };
}
