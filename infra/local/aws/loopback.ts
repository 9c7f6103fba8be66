import { once } from 'node:events';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A server on the loopback address, which other machines cannot reach. */
export interface Loopback {
  /** `http://127.0.0.1:PORT`, without a trailing slash. */
  url: string;
  /** Stops the server and cuts open connections. */
  close(): Promise<void>;
}

/**
 * Starts a server for this machine only, and rejects requests from web pages of other sites. A page of any site can
 * make the browser send requests to the loopback address, also under a host name whose DNS record points there. So the
 * Host header must be a name of the loopback address, and the Origin header must be missing or match it.
 *
 * @param port 0 chooses a free port.
 * @throws The system's error if the port is not available: EADDRINUSE, EACCES.
 */
export async function listen(server: Server, port: number): Promise<Loopback> {
  const listeners = server.listeners('request');
  server.removeAllListeners('request').on('request', (request: IncomingMessage, response: ServerResponse) => {
    if (isFromOtherSite(request)) return forbid(request, response);
    delete request.headers.origin; // with an Origin header, dynalite would allow reading the answer across origins
    for (const listener of listeners) listener.call(server, request, response);
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

const LOOPBACK_HOST = /^(127\.0\.0\.1|localhost|\[::1\])(:\d+)?$/i;

function isFromOtherSite({ headers: { host = '', origin } }: IncomingMessage): boolean {
  return !LOOPBACK_HOST.test(host) || (origin !== undefined && origin.toLowerCase() !== `http://${host.toLowerCase()}`);
}

function forbid(request: IncomingMessage, response: ServerResponse): void {
  request.resume();
  const message =
    'Forbidden: this server accepts only requests to 127.0.0.1 or localhost (a tunnel must set this Host header), ' +
    'and none from pages of other origins';
  response.writeHead(403, { 'content-type': 'application/json' }).end(JSON.stringify({ message }));
}

/** Reads the body of a request. Returns undefined if it is larger than `maxBytes`. */
export async function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    bytes += chunk.length;
    if (bytes > maxBytes) break;
    chunks.push(chunk);
  }
  request.resume();
  return bytes > maxBytes ? undefined : Buffer.concat(chunks);
}
