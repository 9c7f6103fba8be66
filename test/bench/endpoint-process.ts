import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';

/**
 * AWS as the contestants see it, in a process of its own: node endpoint-process.ts KEY CERTIFICATE TOKEN
 *
 * Answers at once, so that what is measured is the function. Tells its parent its port, and what it was asked when
 * the parent wants to know.
 */
export type Requests = Record<string, number>;

const [keyFile = '', certificateFile = '', token = ''] = process.argv.slice(2);
let requests: Requests = {};

const server = createServer(
  { key: readFileSync(keyFile), cert: readFileSync(certificateFile) },
  (request, response) => {
    const [, operation = `${request.method} ${request.url}`] = String(request.headers['x-amz-target']).split('.');
    requests[operation] = (requests[operation] ?? 0) + 1;
    const answer = (status: number, body: object) =>
      response.writeHead(status, { 'content-type': 'application/x-amz-json-1.0' }).end(JSON.stringify(body));
    if (operation === 'GET /') {
      request.resume();
      response.writeHead(200, { 'content-type': 'text/plain' }).end('healthy: bench');
    } else if (operation === 'UpdateItem') {
      request.resume();
      answer(200, {});
    } else {
      void json(request).then((input) => answerSeldom(operation, input as Record<string, string>, answer));
    }
  },
);
server.keepAliveTimeout = 0; // a contestant that waits for its turn keeps its connections
server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port));

function answerSeldom(
  operation: string,
  { VersionStage, MessageBody = '' }: Record<string, string>,
  answer: (status: number, body: object) => void,
): void {
  if (operation === 'GetSecretValue' && VersionStage !== 'AWSPREVIOUS') answer(200, { SecretString: token });
  else if (operation === 'GetSecretValue') answer(400, { __type: 'ResourceNotFoundException' });
  else if (operation === 'SendMessage') {
    answer(200, { MessageId: '1', MD5OfMessageBody: createHash('md5').update(MessageBody).digest('hex') });
  } else answer(400, { __type: 'UnknownOperationException' });
}

process.on('message', () => {
  process.send?.(requests);
  requests = {};
});
process.on('SIGINT', () => {}); // Ctrl-C reaches the whole process group; the parent decides when to end
process.on('disconnect', () => process.exit());
