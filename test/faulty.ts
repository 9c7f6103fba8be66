import { once } from 'node:events';
import {
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { startDynamoDb } from '../infra/local/aws/dynamodb.ts';
import { startEventBus } from '../infra/local/aws/event-bus.ts';
import { listen, type Loopback } from '../infra/local/aws/loopback.ts';
import { DIRECT } from '../infra/cli/http.ts';
import { startSecretsManager } from '../infra/local/aws/secrets-manager.ts';
import { startSqs } from '../infra/local/aws/sqs.ts';
import { slowed } from './time.ts';

/** Sends the request to the service, and its answer to the response, if there is one. */
type Forward = (response?: ServerResponse) => Promise<void>;
type Behaviour = (response: ServerResponse, forward: Forward) => unknown;

/** Faults of a service. Each replaces or damages its answer. */
const FAULTS = {
  denies: (response) => answerError(response, 400, 'AccessDeniedException'),
  throttles: (response) => answerError(response, 400, 'ThrottlingException'),
  breaks: (response) => answerError(response, 500, 'InternalServerError'),
  hangs: () => {},
  'is too slow': (response, forward) => setTimeout(() => forward(response), slowed(500)),
  'cuts the connection': (response) => response.destroy(),
  'succeeds, then cuts the connection': async (response, forward) => {
    await forward();
    response.destroy();
  },
  'succeeds, then hangs': (_response, forward) => forward(),
  'sends half its answer': (response) => response.writeHead(200, { 'content-length': 100 }).write('{'),
  'answers nonsense': (response) => response.writeHead(200).end('<html>'),
} satisfies Record<string, Behaviour>;

export type Fault = keyof typeof FAULTS;

/** A local service that can fail. */
export class Faulty {
  fault: Fault | undefined;
  /** Number of calls. */
  requests = 0;
  /** Called for each request. The event `close` of the response is the end of the request. */
  onRequest: ((request: IncomingMessage, response: ServerResponse) => void) | undefined;
  /** Number of connections that were opened. */
  connections = 0;
  /** Number of calls without an answer on connections that are still open. The ping of an init does not count. */
  owed = 0;
  /** URL of the service itself, without faults. */
  serviceUrl = '';
  readonly #deaf = new WeakSet<Socket>();
  readonly #open = new Set<Socket>();

  /** Closes all open connections. */
  cutConnections(): void {
    for (const socket of this.#open) socket.destroy();
  }

  /**
   * Stops answering on all open connections, like a router that has lost them.
   */
  forgetConnections(): void {
    for (const socket of this.#open) this.#deaf.add(socket);
  }

  /** Starts a proxy in front of a service. */
  protected async inFrontOf(service: Loopback): Promise<Loopback> {
    this.serviceUrl = service.url;
    const proxy = await listen(this.#proxy(), 0);
    return {
      url: proxy.url,
      close: async () => {
        await proxy.close();
        await service.close();
      },
    };
  }

  /** Changes the body that is sent to the service. */
  protected changed(body: Buffer): Buffer {
    return body;
  }

  #proxy(): Server {
    const server = createServer(async (request, response) => {
      const { method = '', url, socket } = request;
      const body = this.changed(await buffer(request));
      const { host: _, connection: __, 'content-length': ___, ...headers } = request.headers as Record<string, string>;
      const forward: Forward = async (to) => {
        const forwarded = httpRequest(this.serviceUrl + url, { method, headers, agent: DIRECT['http:'] }).end(body);
        const [answer] = (await once(forwarded, 'response')) as [IncomingMessage];
        const content = await buffer(answer);
        to?.writeHead(answer.statusCode ?? 0, { 'content-type': answer.headers['content-type'] ?? '' }).end(content);
      };
      this.requests += 1;
      if (method === 'POST') {
        this.owed += 1;
        response.on('close', () => (this.owed -= 1));
      }
      this.onRequest?.(request, response);
      if (this.#deaf.has(socket)) return;
      try {
        await (this.fault === undefined ? forward(response) : FAULTS[this.fault](response, forward));
      } catch {
        response.destroy(); // the service has stopped
      }
    });
    return server.on('connection', (socket: Socket) => {
      this.connections += 1;
      this.#open.add(socket);
      socket.on('close', () => this.#open.delete(socket));
    });
  }
}

/** An embedded DynamoDB that can fail. */
export class FaultyDynamoDb extends Faulty {
  readonly start: typeof startDynamoDb = async (...options) => this.inFrontOf(await startDynamoDb(...options));
}

/** A Secrets Manager whose reads can fail. */
export class FaultySecretsManager extends Faulty {
  readonly start: typeof startSecretsManager = async () => {
    const secretsManager = await startSecretsManager();
    return { ...secretsManager, ...(await this.inFrontOf(secretsManager)) };
  };
}

/** Queues to which sending can fail. */
export class FaultySqs extends Faulty {
  readonly start: typeof startSqs = async (...options) => {
    const sqs = await startSqs(...options);
    const proxy = await this.inFrontOf(sqs);
    return { ...sqs, ...proxy, queueUrl: (name) => sqs.queueUrl(name).replace(sqs.url, proxy.url) };
  };
}

/** An event bus whose `PutEvents` can fail. Listeners get every accepted event. */
export class FaultyEventBus extends Faulty {
  /** Whether the first entry of each call is rejected. */
  rejectsFirst = false;
  readonly start: typeof startEventBus = async (...options) => {
    const bus = await startEventBus(...options);
    return { ...bus, ...(await this.inFrontOf(bus)) };
  };

  protected override changed(body: Buffer): Buffer {
    return this.rejectsFirst ? Buffer.from(body.toString().replace('"EventBusName":"', '$&not ')) : body;
  }
}

function answerError(response: ServerResponse, status: number, type: string): void {
  const body = JSON.stringify({ __type: `com.amazonaws.faulty#${type}`, message: 'told to' });
  response.writeHead(status, { 'content-type': 'application/x-amz-json-1.0' }).end(body);
}
