import type { IncomingMessage, ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import {
  CreateTableCommand,
  DynamoDBClient,
  ResourceInUseException,
  waitUntilTableExists,
  type CreateTableInput,
} from '@aws-sdk/client-dynamodb';
import dynalite from 'dynalite';
import { takeRequests } from './in-process.ts';
import { watchWrites } from './item-writes.ts';
import { listen, type Loopback } from './loopback.ts';
import type { OnChange } from './stream.ts';

/** Region and credentials of the local services, which accept any. */
export const LOCAL_AWS = {
  AWS_REGION: 'us-east-1',
  AWS_ACCESS_KEY_ID: 'local',
  AWS_SECRET_ACCESS_KEY: 'local',
} as const;

/**
 * Starts an embedded DynamoDB with the given tables. Existing tables stay as they are.
 *
 * @param directory Folder for the tables; without it, they are in memory. Check the folder first, because an error in
 * dynalite's files ends the process and cannot be caught.
 * @param onChange Receives every change, like the tables' streams.
 */
export async function startDynamoDb(
  tables: readonly CreateTableInput[],
  directory?: string,
  onChange?: OnChange,
): Promise<Loopback> {
  const database = dynalite({ createTableMs: 0, ...(directory !== undefined && { path: directory }) });
  const call = watchWrites(takeRequests(database), onChange);
  const pending = new Set<Promise<void>>();
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const { method = '', url = '', headers } = request;
    try {
      const {
        status,
        headers: answerHeaders,
        body,
      } = await call({ method, url, headers, body: await buffer(request) });
      response.writeHead(status, answerHeaders).end(body);
    } catch (error) {
      // The client has closed the connection, or its JSON makes dynalite throw.
      const body = { __type: 'com.amazon.coral.service#SerializationException', message: String(error) };
      response.writeHead(400, { 'content-type': 'application/x-amz-json-1.0' }).end(JSON.stringify(body));
    }
  };
  database.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const answered = answer(request, response).finally(() => pending.delete(answered));
    pending.add(answered);
  });
  const server = await listen(database, 0);
  const client = dynamoDbClient(server.url);
  for (const table of tables) await createTable(client, table);
  client.destroy();
  return {
    url: server.url,
    async close() {
      database.closeAllConnections(); // a client may never end its request
      await Promise.all(pending); // a write goes on after its client has closed the connection
      await server.close();
    },
  };
}

/** Creates a table if it is missing, and waits until it is active. */
async function createTable(client: DynamoDBClient, table: CreateTableInput): Promise<void> {
  await client.send(new CreateTableCommand(table)).catch((error: unknown) => {
    if (!(error instanceof ResourceInUseException)) throw error;
  });
  const polling = { minDelay: 0.01, maxDelay: 0.1, maxWaitTime: 30 }; // in seconds
  await waitUntilTableExists({ client, ...polling }, { TableName: table.TableName });
}

export function dynamoDbClient(endpoint: string): DynamoDBClient {
  return new DynamoDBClient({
    endpoint,
    region: LOCAL_AWS.AWS_REGION,
    credentials: { accessKeyId: LOCAL_AWS.AWS_ACCESS_KEY_ID, secretAccessKey: LOCAL_AWS.AWS_SECRET_ACCESS_KEY },
  });
}
