import { readFileSync } from 'node:fs';
import { createServer, request as httpRequest, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { listen, type Loopback } from '../infra/local/aws/loopback.ts';

export interface LoggingProxy extends Loopback {
  /** The hosts that have got requests. */
  hosts: Set<string>;
  /** The local server that answers for a host. */
  servers: Record<string, string>;
}

/**
 * A company's proxy, and all servers behind it. It ends the TLS of the hosts itself.
 *
 * @param files the key and the certificate of the hosts.
 */
export async function startLoggingProxy(files: { key: string; cert: string }): Promise<LoggingProxy> {
  const answer: RequestListener = (request, response) => {
    const { method = 'GET', url = '', headers } = request;
    const { host = '' } = headers;
    proxy.hosts.add(host);
    const server = proxy.servers[host];
    if (server === undefined) return void response.writeHead(502).end();
    const options = { method, headers: { ...headers, host: new URL(server).host } };
    const forwarded = httpRequest(new URL(url, server), options, (received) => {
      response.writeHead(received.statusCode ?? 0, received.headers);
      received.pipe(response);
    });
    forwarded.on('error', () => response.destroy());
    request.pipe(forwarded);
  };
  const hosts = createTlsServer({ key: readFileSync(files.key), cert: readFileSync(files.cert) }, answer);
  const server = createServer().on('connect', (_request, socket) => {
    socket.on('error', () => {});
    socket.write('HTTP/1.1 200 Connection Established\r\n\r\n');
    hosts.emit('connection', socket);
  });
  const proxy: LoggingProxy = { ...(await listen(server, 0)), hosts: new Set(), servers: {} };
  return proxy;
}
