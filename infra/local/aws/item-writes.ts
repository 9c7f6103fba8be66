import type { Call, HttpAnswer, HttpCall } from './in-process.ts';
import { streamRecord, type Item, type OnChange } from './stream.ts';

const API = 'DynamoDB_20120810';

/** Operations of dynalite that write items. */
const WRITES = new Set(['PutItem', 'UpdateItem', 'DeleteItem', 'BatchWriteItem'].map((name) => `${API}.${name}`));

/** Input of these operations, before the database has checked it. */
interface WriteInput {
  TableName: string;
  Key?: Item;
  Item?: Item;
  RequestItems?: Record<string, { PutRequest?: { Item: Item }; DeleteRequest?: { Key: Item } }[]>;
  ReturnValuesOnConditionCheckFailure?: string;
}

/**
 * Adds two features that dynalite lacks: a failed condition returns the item, and a stream gets the changes.
 *
 * Writes run one at a time, so the item that is read before a write is the item that the condition refers to.
 *
 * @param onChange Called when the change can be read, and before the writer gets its answer.
 * @see https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateItem.html
 */
export function watchWrites(callDatabase: Call, onChange: OnChange = () => {}): Call {
  let lastWrite: Promise<unknown> = Promise.resolve();

  async function write(call: HttpCall): Promise<HttpAnswer> {
    const input = parse(call.body);
    const keys = await keysOf(input, ask).catch(() => []); // the database returns an error for this input
    const readItems = () => Promise.all(keys.map(async (key) => (await ask('GetItem', key))?.Item));
    const before = await readItems();
    const answer = await callDatabase(call);
    const after = answer.status === 200 ? await readItems() : before;
    for (const [index, { TableName, Key }] of keys.entries()) {
      const record = streamRecord(Object.keys(Key), before[index], after[index]);
      if (record !== undefined) onChange(TableName, record);
    }
    return input?.ReturnValuesOnConditionCheckFailure === 'ALL_OLD' ? withItem(answer, before[0]) : answer;

    /** Reads with the headers of the caller. */
    async function ask(operation: string, parameters: object): Promise<Output | undefined> {
      const headers = { ...call.headers, 'x-amz-target': `${API}.${operation}` };
      const { status, body } = await callDatabase({ ...call, headers, body: Buffer.from(JSON.stringify(parameters)) });
      return status === 200 ? (JSON.parse(body) as Output) : undefined;
    }
  }

  return (call) => {
    if (!WRITES.has(String(call.headers['x-amz-target']))) return callDatabase(call);
    const answer = lastWrite.then(() => write(call));
    lastWrite = answer.catch(() => {});
    return answer;
  };
}

interface Output {
  Item?: Item;
  Table?: { KeySchema: { AttributeName: string }[] };
}

function parse(body: Buffer): WriteInput | undefined {
  try {
    return JSON.parse(body.toString()) as WriteInput;
  } catch {
    return undefined;
  }
}

/** Returns the keys of all items of a write. */
async function keysOf(
  input: WriteInput | undefined,
  ask: (operation: string, parameters: object) => Promise<Output | undefined>,
): Promise<{ TableName: string; Key: Item }[]> {
  const { TableName = '', Key, Item, RequestItems = {} } = input ?? {};
  if (Key !== undefined) return [{ TableName, Key }];
  const requests = Item === undefined ? RequestItems : { [TableName]: [{ PutRequest: { Item } }] };
  const keys = Object.entries(requests).map(async ([TableName, ofTable]) => {
    const { Table } = (await ask('DescribeTable', { TableName })) ?? {};
    const names = Table?.KeySchema.map(({ AttributeName }) => AttributeName) ?? [];
    return ofTable.map(({ PutRequest, DeleteRequest }) => {
      const item = Object.entries(PutRequest?.Item ?? DeleteRequest?.Key ?? {});
      return { TableName, Key: Object.fromEntries(item.filter(([name]) => names.includes(name))) };
    });
  });
  return (await Promise.all(keys)).flat();
}

const CONDITION_FAILED = '{"__type":"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException"';

/** Adds the item, if there is one, to the error of a failed condition. */
function withItem(answer: HttpAnswer, item: Item | undefined): HttpAnswer {
  if (item === undefined || !answer.body.startsWith(CONDITION_FAILED)) return answer;
  const body = JSON.stringify({ ...(JSON.parse(answer.body) as object), Item: item });
  const { 'x-amz-crc32': _, ...headers } = answer.headers; // some SDKs would verify it
  return { ...answer, headers: { ...headers, 'Content-Length': Buffer.byteLength(body) }, body };
}
