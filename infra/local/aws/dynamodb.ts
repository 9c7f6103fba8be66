import type { IncomingMessage, ServerResponse } from 'node:http';
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
import { listen, type Loopback } from './loopback.ts';
import { watchChanges, type OnChange } from './stream.ts';

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
  const options = { createTableMs: 0, ...(directory !== undefined && { path: directory }) };
  if (onChange !== undefined) watchChanges(options, onChange);
  const store = dynalite(options);
  // dynalite throws where a caller hangs up in the middle of a request, or sends JSON that it can't deal with, and nobody
  // is there to catch it.
  store.on('request', (request: IncomingMessage, response: ServerResponse) => {
    request.removeAllListeners('error').on('error', () => {});
    const answer = request.listeners('end');
    request.removeAllListeners('end').on('end', () => {
      try {
        for (const listener of answer) listener.call(request);
      } catch {
        const body = JSON.stringify({ __type: 'com.amazon.coral.service#SerializationException' });
        response.writeHead(400, { 'content-type': 'application/x-amz-json-1.0' }).end(body);
      }
    });
  });
  const server = await listen(store, 0);
  const client = dynamoDbClient(server.url);
  for (const table of tables) await makeTable(client, table);
  client.destroy();
  return server;
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
