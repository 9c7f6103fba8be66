import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A server on this machine's own address, which nobody else can reach. */
export interface Loopback {
  /** `http://127.0.0.1:PORT`, without a slash at the end. */
  url: string;
  /** Stops at once: connections that are open are cut. */
  close(): Promise<void>;
}

/**
 * @param port 0 takes a free one.
 * @throws the system's error where the port can't be had: EADDRINUSE, EACCES.
 */
export async function listen(server: Server, port: number): Promise<Loopback> {
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
