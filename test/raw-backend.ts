import { createServer, type AddressInfo, type Socket } from 'node:net';
import { once } from 'node:events';

/** Request as its bytes arrived. */
export interface RawRequest {
  /** Request line. */
  line: string;
  /** Header lines, without those of the connection. */
  headers: string[];
  body: Buffer;
  /** Number of the connection, from 1. */
  connection: number;
}

/** Answers a request by writing bytes. */
export type RawAnswer = (socket: Socket, request: RawRequest) => void;

/** Writes a complete answer with a Content-Length. */
export const answer =
  (status: string, headers: Readonly<Record<string, string>>, body: string | Uint8Array = ''): RawAnswer =>
  (socket) => {
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    socket.write(`HTTP/1.1 ${status}\r\n${lines.join('')}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n`);
    socket.write(body);
  };

export const OK_ANSWER = answer('200 OK', { 'Content-Type': 'application/json' }, '{"ActionStatus":"OK"}');

/** Starts a backend that records the bytes that it gets, and answers with the bytes that the test chooses. */
export async function startRawBackend() {
  const requests: RawRequest[] = [];
  const sockets = new Set<Socket>();
  const backend = {
    requests,
    sockets,
    respond: OK_ANSWER as RawAnswer,
    url: '',
    connections: 0,
    closeConnections,
    close,
  };

  const server = createServer((socket) => {
    backend.connections += 1;
    const connection = backend.connections;
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => {});
    let received: Buffer = Buffer.alloc(0);
    let chunks: Buffer[] = [];
    let missing = 0;
    socket.on('data', (chunk) => {
      chunks.push(chunk);
      missing -= chunk.length;
      if (missing > 0) return; // large bodies are joined once
      received = Buffer.concat([received, ...chunks]);
      chunks = [];
      for (;;) {
        const end = received.indexOf('\r\n\r\n');
        if (end === -1) return;
        const [line = '', ...headers] = received.subarray(0, end).toString('latin1').split('\r\n');
        const length = Number(/^content-length: (\d+)$/im.exec(headers.join('\n'))?.[1] ?? 0);
        missing = end + 4 + length - received.length;
        if (missing > 0) return;
        const body = received.subarray(end + 4, end + 4 + length);
        received = received.subarray(end + 4 + length);
        const request = { line, headers, body, connection };
        requests.push(request);
        backend.respond(socket, request);
      }
    });
  });

  function closeConnections(): void {
    for (const socket of sockets) socket.destroy();
  }
  async function close(): Promise<void> {
    closeConnections();
    server.close();
    await once(server, 'close');
  }

  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  backend.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return backend;
}

export type RawBackend = Awaited<ReturnType<typeof startRawBackend>>;
