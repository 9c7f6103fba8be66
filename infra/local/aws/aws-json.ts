import { createServer, type Server } from 'node:http';
import { readBody } from './loopback.ts';

/** An error of the service, in its own words. */
export class ServiceError extends Error {
  readonly type: string;

  constructor(type: string, message: string) {
    super(message);
    this.type = type;
  }
}

/** The largest message that SQS takes or entries that EventBridge takes, each byte escaped, with the names around it. */
const MAX_REQUEST_BYTES = 2 * 1024 * 1024;

/**
 * A service that speaks AWS's JSON protocol.
 *
 * @param operations by their name in the header X-Amz-Target, as `AmazonSQS.SendMessage`.
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
      if (operation === undefined) throw new ServiceError('UnknownOperationException', 'not answered on this machine');
      const body = await readBody(request, MAX_REQUEST_BYTES);
      if (body === undefined) throw new ServiceError('RequestEntityTooLargeException', 'the request is too large');
      answer(200, await operation(JSON.parse(body.toString()) as Record<string, string>));
    } catch (error) {
      const type = error instanceof ServiceError ? error.type : 'SerializationException';
      answer(400, { __type: type, message: (error as Error).message });
    }
  });
}
