import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { AttributeValue, DynamoDBRecord } from 'aws-lambda';

export type OnChange = (tableName: string, record: DynamoDBRecord) => void;

export type Item = Record<string, AttributeValue>;

let sequenceNumber = 0;

/**
 * Describes a write as the table's stream does.
 *
 * @param keyNames Names of the key attributes.
 * @returns Undefined if the write changed nothing, because a stream leaves out such writes.
 * @see https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_Record.html
 */
export function streamRecord(
  keyNames: readonly string[],
  before: Item | undefined,
  after: Item | undefined,
): DynamoDBRecord | undefined {
  const image = after ?? before;
  if (image === undefined || isDeepStrictEqual(before, after)) return undefined;
  return {
    eventID: randomUUID().replaceAll('-', ''),
    eventName: before === undefined ? 'INSERT' : after === undefined ? 'REMOVE' : 'MODIFY',
    eventVersion: '1.1',
    eventSource: 'aws:dynamodb',
    awsRegion: 'us-east-1',
    dynamodb: {
      ApproximateCreationDateTime: Math.floor(Date.now() / 1000),
      Keys: Object.fromEntries(keyNames.map((name) => [name, image[name]])) as Item,
      ...(after !== undefined && { NewImage: after }),
      ...(before !== undefined && { OldImage: before }),
      SequenceNumber: String((sequenceNumber += 1)),
      StreamViewType: 'NEW_AND_OLD_IMAGES',
    },
  };
}
