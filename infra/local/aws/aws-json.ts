import { createServer, type Server } from 'node:http';
import { readBody } from './loopback.ts';

/** Error that a service returns to its client. */
export class ServiceError extends Error {
  readonly type: string;

  constructor(type: string, message: string) {
    super(message);
    this.type = type;
  }
}

/** Above the largest request of SQS or EventBridge: 256 KiB with every byte escaped, and the names around it. */
const MAX_REQUEST_BYTES = 2 * 1024 * 1024;

/**
 * Creates a server for AWS's JSON protocol.
 *
 * @param operations The operations by their name in the header X-Amz-Target, for example `AmazonSQS.SendMessage`.
 * @see https://smithy.io/2.0/aws/protocols/aws-json-1_0-protocol.html
 */
export function awsJsonServer(
  operations: Record<string, (input: Record<string, string>) => object | Promise<object>>,
): Server {
  return createServer(async (request, response) => {
    const answer = (status: number, body: object) =>
      response.writeHead(status, { 'content-type': 'application/x-amz-json-1.0' }).end(JSON.stringify(body));
    try {
      const operation = operations[String(request.headers['x-amz-target'])];
      if (operation === undefined)
        throw new ServiceError('UnknownOperationException', 'the local service does not have this operation');
      const body = await readBody(request, MAX_REQUEST_BYTES);
      if (body === undefined) throw new ServiceError('RequestEntityTooLargeException', 'the request is too large');
      answer(200, await operation(JSON.parse(body.toString()) as Record<string, string>));
    } catch (error) {
      const type = error instanceof ServiceError ? error.type : 'SerializationException';
      answer(400, { __type: type, message: (error as Error).message });
    }
  });
}
