import {
  ConditionalCheckFailedException,
  UpdateItemCommand,
  type AttributeValue,
  type DynamoDBClient,
} from '@aws-sdk/client-dynamodb';
import { mergeEvent, mergeNewestEvent, type AccountEvent, type AccountRecord } from './official-account.ts';
import type { WithDeadline } from './sdk-client.ts';

/** `stale`: the event is repeated or older, and changes nothing. */
export type ApplyResult = 'stored' | 'stale';

export interface OfficialAccounts {
  /**
   * Merges an event into the record of its account. Creates the record if it does not exist.
   *
   * @throws the error of the SDK, a TimeoutError, or an Error if other writes were faster each time.
   */
  apply(event: AccountEvent): Promise<ApplyResult>;
}

/**
 * Maximum number of writes after the first. An event that changes the record without being the newest takes one. Each
 * further one means that a concurrent delivery has changed the record.
 */
const MAX_REPETITIONS = 50;

/**
 * Creates the access to the DynamoDB table of official accounts.
 *
 * An event that is newer than the record takes one conditional write, and no read. For any other event, DynamoDB
 * rejects the write and returns the record. If the event changes the record, a second write follows, on the condition
 * that the record is unchanged.
 */
export function officialAccountsTable(
  client: DynamoDBClient,
  tableName: string,
  withDeadline: WithDeadline,
): OfficialAccounts {
  return {
    apply: (event) =>
      withDeadline(async ({ options, isExpired }) => {
        const { sdkAppId, officialAccountId } = event;

        /** @returns the record if it does not meet the condition, and undefined if the write succeeded. */
        async function write(changes: AccountRecord, condition: Condition): Promise<AccountRecord | undefined> {
          const update = {
            TableName: tableName,
            Key: { sdkAppId: { S: sdkAppId }, officialAccountId: { S: officialAccountId } },
            ...expressions(changes, condition),
            ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
          } as const;
          try {
            await client.send(new UpdateItemCommand(update), options);
            return undefined;
          } catch (error) {
            if (!(error instanceof ConditionalCheckFailedException)) throw error;
            if (error.Item === undefined) {
              // DynamoDB returns no record if it was deleted between two writes.
              throw new Error('DynamoDB rejected a write without returning the record', { cause: error });
            }
            return attributesOf(error.Item);
          }
        }

        let record = await write(mergeNewestEvent(event), ifNewest(event));
        for (let repetition = 0; record !== undefined; repetition += 1) {
          if (repetition === MAX_REPETITIONS || isExpired())
            throw new Error(`the record could not be written in ${repetition + 1} attempts`);
          const changes = mergeEvent(event, record);
          if (Object.keys(changes).length === 0) return 'stale';
          record = await write(changes, ifUnchanged(record));
        }
        return 'stored';
      }),
  };
}

interface Condition {
  expression: string;
  values: Readonly<Record<string, AttributeValue>>;
}

function ifNewest({ eventTime }: AccountEvent): Condition {
  return {
    expression: 'attribute_not_exists(eventTime) OR eventTime < :eventTime',
    values: { ':eventTime': toValue(eventTime) },
  };
}

/** Compares `eventTime` in addition to `revision`, because versions of this software before 0.2 write no revision. */
function ifUnchanged(record: AccountRecord): Condition {
  const values: Record<string, AttributeValue> = {};
  const isSame = ['eventTime', 'revision'].map((name) => {
    const before = record[name];
    if (before === undefined) return `attribute_not_exists(${name})`;
    values[`:${name}Before`] = toValue(before);
    return `${name} = :${name}Before`;
  });
  return { expression: isSame.join(' AND '), values };
}

/** Aliases of DynamoDB's reserved words. Other names have none, because aliases take time to serialize and to sign. */
const ALIASES = new Map([['name', '#name']]);

function expressions(changes: AccountRecord, condition: Condition) {
  const set: string[] = [];
  const remove: string[] = [];
  const values: Record<string, AttributeValue> = { ':one': toValue(1), ...condition.values };
  for (const [name, value] of Object.entries(changes)) {
    const path = ALIASES.get(name) ?? name;
    if (value === undefined) remove.push(path);
    else {
      set.push(`${path} = :${name}`);
      values[`:${name}`] = toValue(value);
    }
  }
  const aliased = [...ALIASES].flatMap(([name, alias]) => (name in changes ? [[alias, name]] : []));
  const update = [
    set.length > 0 && `SET ${set.join()}`,
    remove.length > 0 && `REMOVE ${remove.join()}`,
    'ADD revision :one',
  ];
  return {
    ConditionExpression: condition.expression,
    UpdateExpression: update.filter((part) => part !== false).join(' '),
    // DynamoDB rejects an unused alias and an empty object.
    ...(aliased.length > 0 && { ExpressionAttributeNames: Object.fromEntries(aliased) }),
    ExpressionAttributeValues: values,
  };
}

function toValue(value: string | number): AttributeValue {
  return typeof value === 'number' ? { N: String(value) } : { S: value };
}

/** Returns strings and numbers as plain values. Custom attributes may have other types; these become undefined. */
function attributesOf(item: Readonly<Record<string, AttributeValue>>): AccountRecord {
  const values = Object.entries(item).map(([name, { S, N }]) => [name, S ?? (N === undefined ? undefined : Number(N))]);
  return Object.fromEntries(values);
}
