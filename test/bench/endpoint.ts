import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { EXAMPLE_TOKEN } from '../../infra/local/chat.ts';
import { createCertificate } from '../certificate.ts';

export type Endpoint = Awaited<ReturnType<typeof startEndpoint>>;

/** Answer of the backend to which deliveries are forwarded. AWS's clients ignore it. */
const BACKEND_ANSWER = { ActionStatus: 'OK', ErrorInfo: '', ErrorCode: 0 };

/**
 * Starts a stub of DynamoDB, Secrets Manager, SQS and the backend of `forwardUrl`. It answers at once, so that the bench measures the function, and
 * uses TLS, which is one of the largest parts of a cold start.
 *
 * @param directory place for key and certificate.
 * @param token value of the secret.
 */
export async function startEndpoint(directory: string, token = EXAMPLE_TOKEN) {
  const { key, cert } = createCertificate(directory, '127.0.0.1');
  let requests: Record<string, number> = {};
  const server = createServer({ key: readFileSync(key), cert: readFileSync(cert) }, (request, response) => {
    const [, operation = `${request.method} ${request.url?.split('?')[0]}`] = String(
      request.headers['x-amz-target'],
    ).split('.');
    requests[operation] = (requests[operation] ?? 0) + 1;
    request.resume();
    response.writeHead(200, { 'content-type': 'application/x-amz-json-1.0' });
    response.end(JSON.stringify(operation === 'GetSecretValue' ? { SecretString: token } : BACKEND_ANSWER));
  });
  server.keepAliveTimeout = 0; // keeps the connections of slow contestants
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    certificateFile: cert,
    /** Returns the number of requests since the last call, by operation. */
    takeRequests() {
      const taken = requests;
      requests = {};
      return taken;
    },
    stop: () => void server.close().closeAllConnections(),
  };
}
