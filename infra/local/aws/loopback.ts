import { once } from 'node:events';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A server on this machine's own address, which nobody else can reach. */
export interface Loopback {
  /** `http://127.0.0.1:PORT`, without a slash at the end. */
  url: string;
  /** Stops at once: connections that are open are cut. */
  close(): Promise<void>;
}

/**
 * Lets the server listen to this machine alone. Web pages are no part of it: a page of any site can make the browser
 * send requests here, under its own name or, by its name server, under a name that leads here. So each request must
 * call this machine by one of its own names, and come from no page of another origin.
 *
 * @param port 0 takes a free one.
 * @throws the system's error where the port can't be had: EADDRINUSE, EACCES.
 */
export async function listen(server: Server, port: number): Promise<Loopback> {
  const answer = server.listeners('request');
  server.removeAllListeners('request').on('request', (request: IncomingMessage, response: ServerResponse) => {
    if (isOfWebPage(request)) return refuse(request, response);
    delete request.headers.origin; // dynalite would let pages of this origin read its answer from elsewhere
    for (const listener of answer) listener.call(server, request, response);
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

function isOfWebPage({ headers: { host = '', origin } }: IncomingMessage): boolean {
  return !LOOPBACK_HOST.test(host) || (origin !== undefined && origin.toLowerCase() !== `http://${host.toLowerCase()}`);
}

function refuse(request: IncomingMessage, response: ServerResponse): void {
  request.resume();
  const message =
    'Forbidden: this server takes requests to 127.0.0.1 or localhost (a tunnel must set that as the Host), ' +
    'and none from pages of other origins';
  response.writeHead(403, { 'content-type': 'application/json' }).end(JSON.stringify({ message }));
}

/** Reads the body of a request. @returns nothing where it is larger: what is left of it is not kept. */
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
