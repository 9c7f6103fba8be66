import { createServer, type ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { startDynamoDb } from '../../infra/local/dynamodb.ts';
import { listen, type Loopback } from '../../infra/local/loopback.ts';

export type Fault =
  'none' | 'refuses' | 'throttles' | 'breaks' | 'hangs' | 'cuts the connection' | 'stores, then cuts the connection';

/** An embedded DynamoDB behind a proxy that misbehaves as told. */
export function faultyStore() {
  const store = { fault: 'none' as Fault, requests: 0, start };

  async function start(...options: Parameters<typeof startDynamoDb>): Promise<Loopback> {
    const dynamoDb = await startDynamoDb(...options);
    const answerError = (response: ServerResponse, status: number, type: string) =>
      response
        .writeHead(status, { 'content-type': 'application/x-amz-json-1.0' })
        .end(JSON.stringify({ __type: `com.amazonaws.dynamodb.v20120810#${type}`, message: 'told to' }));
    const proxy = await listen(
      createServer(async (request, response) => {
        const body = await buffer(request);
        store.requests += 1;
        switch (store.fault) {
          case 'refuses':
            return answerError(response, 400, 'AccessDeniedException');
          case 'throttles':
            return answerError(response, 400, 'ThrottlingException');
          case 'breaks':
            return answerError(response, 500, 'InternalServerError');
          case 'hangs':
            return;
          case 'cuts the connection':
            return response.destroy();
        }
        const {
          host: _,
          connection: __,
          'content-length': ___,
          ...headers
        } = request.headers as Record<string, string>;
        const answer = await fetch(dynamoDb.url, { method: 'POST', headers, body });
        if (store.fault !== 'none') {
          store.fault = 'none';
          return response.destroy();
        }
        response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? '' });
        response.end(Buffer.from(await answer.arrayBuffer()));
      }),
      0,
    );
    return {
      url: proxy.url,
      close: async () => {
        await proxy.close();
        await dynamoDb.close();
      },
    };
  }

  return store;
}
