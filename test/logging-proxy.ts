import { readFileSync } from 'node:fs';
import { createServer, request as httpRequest, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { listen, type Loopback } from '../infra/local/aws/loopback.ts';

export interface LoggingProxy extends Loopback {
  /** The requests so far, as in `CONNECT sqs.eu-central-1.amazonaws.com:443`. */
  calls: string[];
  /** The local server that answers for a host. */
  servers: Record<string, string>;
  /** The time until it connects. */
  delayMs: number;
  /** The credentials that it requires, as in `user:password`. */
  credentials: string | undefined;
}

/**
 * A company's proxy, and all servers behind it. It logs each CONNECT, and ends the TLS of the host itself.
 *
 * @param files the key and the certificate of the hosts.
 */
export async function startLoggingProxy(files: { key: string; cert: string }): Promise<LoggingProxy> {
  const answer: RequestListener = (request, response) => {
    const { method = 'GET', url = '', headers } = request;
    const server = proxy.servers[headers.host ?? ''];
    if (server === undefined) return void response.writeHead(502).end();
    const forwarded = httpRequest(
      new URL(url, server),
      { method, headers: { ...headers, host: new URL(server).host } },
      (received) => {
        response.writeHead(received.statusCode ?? 0, received.headers);
        received.pipe(response);
      },
    );
    forwarded.on('error', () => response.destroy());
    request.pipe(forwarded);
  };
  const hosts = createTlsServer({ key: readFileSync(files.key), cert: readFileSync(files.cert) }, answer);
  const server = createServer(({ method, url }, response) => {
    proxy.calls.push(`${method} ${url}`);
    response.writeHead(502).end();
  });
  server.on('connect', async ({ url, headers }, socket) => {
    proxy.calls.push(`CONNECT ${url}`);
    socket.on('error', () => {});
    const authorization = proxy.credentials && `Basic ${Buffer.from(proxy.credentials).toString('base64')}`;
    if (headers['proxy-authorization'] !== authorization) {
      return socket.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n');
    }
    await sleep(proxy.delayMs);
    socket.write('HTTP/1.1 200 Connection Established\r\n\r\n');
    return hosts.emit('connection', socket);
  });
  const proxy: LoggingProxy = {
    ...(await listen(server, 0)),
    calls: [],
    servers: {},
    delayMs: 0,
    credentials: undefined,
  };
  return proxy;
}
