import type { IncomingMessage, ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import {
  CreateTableCommand,
  DeleteTableCommand,
  DescribeTableCommand,
  DynamoDBClient,
  ResourceInUseException,
  waitUntilTableExists,
  waitUntilTableNotExists,
  type CreateTableInput,
} from '@aws-sdk/client-dynamodb';
import dynalite from 'dynalite';
import { takeRequests } from './in-process.ts';
import { watchWrites } from './item-writes.ts';
import { listen, type Loopback } from './loopback.ts';
import type { OnChange } from './stream.ts';

/** Any region and credentials will do: nothing here leaves the machine. */
export const LOCAL_AWS = {
  AWS_REGION: 'us-east-1',
  AWS_ACCESS_KEY_ID: 'local',
  AWS_SECRET_ACCESS_KEY: 'local',
} as const;

/**
 * Starts an embedded DynamoDB with these tables. Tables that it already has are kept as they are.
 *
 * @param directory where to keep the tables; in memory where there is none. It must be usable: dynalite opens its files
 * behind everybody's back, and an error there ends the process.
 * @param onChange is told of every change, as the tables' streams would.
 */
export async function startDynamoDb(
  tables: readonly CreateTableInput[],
  directory?: string,
  onChange?: OnChange,
): Promise<Loopback> {
  const database = dynalite({ createTableMs: 0, ...(directory !== undefined && { path: directory }) });
  const answerTo = watchWrites(takeRequests(database), onChange);
  const underWay = new Set<Promise<void>>();
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const { method = '', url = '', headers } = request;
    try {
      const {
        status,
        headers: answerHeaders,
        body,
      } = await answerTo({ method, url, headers, body: await buffer(request) });
      response.writeHead(status, answerHeaders).end(body);
    } catch (error) {
      // The caller has hung up, or sends JSON that dynalite throws at.
      const body = { __type: 'com.amazon.coral.service#SerializationException', message: String(error) };
      response.writeHead(400, { 'content-type': 'application/x-amz-json-1.0' }).end(JSON.stringify(body));
    }
  };
  database.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const answered = answer(request, response).finally(() => underWay.delete(answered));
    underWay.add(answered);
  });
  const server = await listen(database, 0);
  const client = dynamoDbClient(server.url);
  for (const table of tables) await makeTable(client, table);
  client.destroy();
  return {
    url: server.url,
    async close() {
      database.closeAllConnections(); // a caller that never ends its request
      await Promise.all(underWay); // a write whose caller has gone needs the database as well
      await server.close();
    },
  };
}

/** How often to ask for a table's state, in seconds. */
const WAIT = { minDelay: 0.01, maxDelay: 0.1, maxWaitTime: 30 };

/** Makes a table where it is missing. @returns once it takes items. */
async function makeTable(client: DynamoDBClient, table: CreateTableInput): Promise<void> {
  const { TableName } = table;
  try {
    await client.send(new CreateTableCommand(table));
  } catch (error) {
    if (!(error instanceof ResourceInUseException)) throw error;
    const { Table } = await client.send(new DescribeTableCommand({ TableName }));
    if (Table?.TableStatus === 'DELETING') {
      // The process that deleted it has ended before it was done, and dynalite does not go on with it by itself.
      await client.send(new DeleteTableCommand({ TableName }));
      await waitUntilTableNotExists({ client, ...WAIT }, { TableName });
      return makeTable(client, table);
    }
  }
  await waitUntilTableExists({ client, ...WAIT }, { TableName });
}

export function dynamoDbClient(endpoint: string): DynamoDBClient {
  return new DynamoDBClient({
    endpoint,
    region: LOCAL_AWS.AWS_REGION,
    credentials: { accessKeyId: LOCAL_AWS.AWS_ACCESS_KEY_ID, secretAccessKey: LOCAL_AWS.AWS_SECRET_ACCESS_KEY },
  });
}
