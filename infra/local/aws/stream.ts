import { randomUUID } from 'node:crypto';
import type { AttributeValue, DynamoDBRecord } from 'aws-lambda';
import dynaliteDb, { type ItemDb, type WriteDone } from 'dynalite/db/index.js';

export type OnChange = (tableName: string, record: DynamoDBRecord) => void;

/**
 * The counterpart of DynamoDB Streams, which dynalite lacks: it calls the given function, in order, once a write that
 * changes an item is done.
 *
 * Every write of dynalite's goes through its updateIndexes, with the item before and after, while it holds the item's
 * lock, and writes the item as the first thing that comes after. Neither is one of its public functions: the version
 * of dynalite is pinned, and a test writes in every way.
 *
 * @param options what dynalite is started with: its stores know it, and so which of them belongs to whom.
 * @see https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_Record.html
 */
export function watchChanges(options: object, onChange: OnChange): void {
  watchers.set(options, onChange);
}

const watchers = new WeakMap<object, OnChange>();

const { updateIndexes } = dynaliteDb;
if (typeof updateIndexes !== 'function') throw new Error('this version of dynalite has no updateIndexes to watch');
dynaliteDb.updateIndexes = (store, table, before, after, done) =>
  updateIndexes(store, table, before, after, (error) => {
    const onChange = watchers.get(store.options);
    const images = [before, after].map((item) => JSON.stringify(item ?? undefined));
    // A write that changes nothing is none, for a stream.
    if (!error && onChange !== undefined && images[0] !== images[1]) {
      const items = store.getItemDb(table.TableName);
      afterNextWrite(items, after ? 'put' : 'del', () => onChange(table.TableName, toRecord(table, images)));
    }
    done(error);
  });

/** Calls the function once the next write has taken place, and before the writer hears of it. */
function afterNextWrite(items: ItemDb, kind: 'put' | 'del', written: () => void): void {
  const write = items[kind];
  items[kind] = (...args) => {
    items[kind] = write;
    const done = args.pop() as WriteDone;
    write(...args, (error: unknown) => {
      if (!error) written();
      done(error);
    });
  };
}

let sequenceNumber = 0;

type Table = Parameters<typeof updateIndexes>[1];

type Image = Record<string, AttributeValue>;

function toRecord({ KeySchema }: Table, [before, after]: (string | undefined)[]): DynamoDBRecord {
  const [OldImage, NewImage] = [before, after].map((json) => json && (JSON.parse(json) as Image));
  const keys = new Set(KeySchema.map(({ AttributeName }) => AttributeName));
  return {
    eventID: randomUUID().replaceAll('-', ''),
    eventName: !OldImage ? 'INSERT' : !NewImage ? 'REMOVE' : 'MODIFY',
    eventVersion: '1.1',
    eventSource: 'aws:dynamodb',
    awsRegion: 'us-east-1',
    dynamodb: {
      ApproximateCreationDateTime: Math.floor(Date.now() / 1000),
      Keys: Object.fromEntries(Object.entries(NewImage || OldImage || {}).filter(([name]) => keys.has(name))),
      ...(NewImage && { NewImage }),
      ...(OldImage && { OldImage }),
      SequenceNumber: String((sequenceNumber += 1)),
      StreamViewType: 'NEW_AND_OLD_IMAGES',
    },
  };
}
