import { randomBytes, randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from 'aws-lambda';
import { CHAT_TIMEOUT_MS } from '../../../lambda/limits.ts';
import { ThrottledError, type LocalFunction } from './function.ts';
import { listen, readBody, type Loopback } from './loopback.ts';

export interface Route {
  method: string;
  path: string;
}

/** Name of the wait for an instance in the header Server-Timing. */
export const WAITED = 'instance';
/** Header of API Gateway with the request ID, which is also in the receiver's log. */
export const REQUEST_ID_HEADER = 'apigw-requestid';

export interface Reply {
  status: number;
  headers: Readonly<Record<string, string | string[]>>;
  body: Buffer;
}

/**
 * Observes the requests to the route.
 *
 * @param body Undefined if it exceeds API Gateway's limit.
 * @returns A function that gets the reply.
 */
export type Observer = (event: APIGatewayProxyEventV2, body: Buffer | undefined) => (reply: Reply) => void;

/** Time that `close` waits for pending deliveries: as long as Chat waits. */
const DRAIN_MS = CHAT_TIMEOUT_MS;

/** Limits of API Gateway (payload; request line with headers) and of Lambda (event). */
const MAX_PAYLOAD_BYTES = 10_000_000;
const MAX_HEAD_BYTES = 10_240;
const MAX_EVENT_BYTES = 6 * 1024 * 1024;

/**
 * Starts a local HTTP API with one route. Each request becomes an event of payload format 2.0.
 *
 * @param port 0 chooses a free port.
 * @param observe Called for each request to the route, before the function.
 * @returns The server. Its `close` first waits for pending deliveries.
 * @see https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
 */
export async function startGateway(
  route: Route,
  invoke: LocalFunction['invoke'],
  port: number,
  observe: Observer = () => () => {},
): Promise<Loopback> {
  const pending = new Set<Promise<void>>();
  const server = createServer({ maxHeaderSize: MAX_HEAD_BYTES }, (request, response) => {
    const answered = answer(request, response)
      .catch((error) => {
        if (request.errored !== null || response.headersSent) return; // the client has closed the connection
        send(response, failureReply(error)); // the function has returned invalid headers
      })
      .finally(() => pending.delete(answered));
    pending.add(answered);
  });

  // By default, Node cuts the connection of a client that closes its side after the request, before it gets the answer.
  // Node's documentation does not mention this property; gateway.test.ts shows that it works.
  Object.assign(server, { httpAllowHalfOpen: true });

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [path = '', rawQueryString = ''] = splitOnce(originForm(request.url ?? ''), '?');
    if (request.method !== route.method || path !== route.path) {
      request.resume();
      return send(response, ownReply(404, 'Not Found'));
    }
    const body = await readBody(request, MAX_PAYLOAD_BYTES);
    const { httpVersion, headersDistinct: headers, socket } = request;
    const sourceIp = socket.remoteAddress ?? '';
    const event = toEvent({ httpVersion, headers, rawQueryString, body: body ?? Buffer.alloc(0), sourceIp }, route);
    const replied = observe(event, body);
    const isTooLarge = body === undefined || Buffer.byteLength(JSON.stringify(event)) > MAX_EVENT_BYTES;
    const reply = isTooLarge ? ownReply(413, 'Request Entity Too Large') : await replyOf(event).catch(failureReply);
    replied(reply);
    send(response, { ...reply, headers: { ...reply.headers, [REQUEST_ID_HEADER]: event.requestContext.requestId } });
  }

  async function replyOf(event: APIGatewayProxyEventV2): Promise<Reply> {
    const arrivedMs = performance.now();
    let waitedMs = 0;
    const result = (await invoke(event, () => {
      waitedMs = Math.round(performance.now() - arrivedMs);
    })) as APIGatewayProxyStructuredResultV2;
    return {
      status: result.statusCode ?? 200,
      headers: {
        ...(result.headers as Record<string, string>),
        ...(result.cookies !== undefined && { 'set-cookie': result.cookies }),
        ...waitHeader(waitedMs),
      },
      body: Buffer.from(result.body ?? '', result.isBase64Encoded ? 'base64' : 'utf8'),
    };
  }

  const { url, close } = await listen(server, port);
  return {
    url,
    async close() {
      server.close();
      await Promise.race([Promise.all(pending), sleep(DRAIN_MS, undefined, { ref: false })]);
      await close();
    },
  };
}

/** Returns a header with the time that the delivery waited for an instance. AWS has no such wait. */
function waitHeader(waitedMs: number): Record<string, string> {
  return waitedMs === 0 ? {} : { 'server-timing': `${WAITED};dur=${waitedMs}` };
}

/** Returns a reply that API Gateway gives itself. */
function ownReply(status: number, message: string): Reply {
  return { status, headers: { 'content-type': 'application/json' }, body: Buffer.from(JSON.stringify({ message })) };
}

function failureReply(error: unknown): Reply {
  if (error instanceof ThrottledError) return ownReply(429, 'Too Many Requests');
  return ownReply(500, 'Internal Server Error'); // the function's log says why
}

function send(response: ServerResponse, { status, headers, body }: Reply): void {
  response.writeHead(status, headers).end(body);
}

/** HTTP request with its complete body. */
export interface HttpRequest {
  httpVersion: string;
  /** Names in lower case, with all their values. */
  headers: Readonly<Record<string, readonly string[] | undefined>>;
  rawQueryString: string;
  body: Buffer;
  sourceIp: string;
}

/** Converts a request to an event of API Gateway. */
export function toEvent(request: HttpRequest, route: Route): APIGatewayProxyEventV2 {
  const { httpVersion, rawQueryString, body, sourceIp } = request;
  const headers = joinRepeats(
    Object.entries(request.headers).flatMap(([name, values = []]) => values.map((value) => [name, value])),
  );
  const query = joinRepeats([...new URLSearchParams(rawQueryString)]);
  const { cookie, ...otherHeaders } = headers;
  const now = new Date();
  const routeKey = `${route.method} ${route.path}`;
  const isText = arrivesAsText(headers['content-type']);
  return {
    version: '2.0',
    routeKey,
    rawPath: route.path,
    rawQueryString,
    ...(cookie !== undefined && { cookies: cookie.split(/; */) }),
    headers: {
      ...otherHeaders,
      'x-amzn-trace-id': `Root=1-${Math.floor(now.getTime() / 1000).toString(16)}-${randomBytes(12).toString('hex')}`,
      'x-forwarded-for': sourceIp,
      'x-forwarded-port': '443',
      'x-forwarded-proto': 'https',
    },
    ...(Object.keys(query).length > 0 && { queryStringParameters: query }),
    requestContext: {
      accountId: '000000000000',
      apiId: 'local',
      domainName: headers['host'] ?? '',
      domainPrefix: 'local',
      http: {
        method: route.method,
        path: route.path,
        protocol: `HTTP/${httpVersion}`,
        sourceIp,
        userAgent: headers['user-agent'] ?? '',
      },
      requestId: randomUUID(),
      routeKey,
      stage: '$default',
      time: requestTime(now),
      timeEpoch: now.getTime(),
    },
    ...(body.length > 0 && { body: body.toString(isText ? 'utf8' : 'base64') }),
    isBase64Encoded: body.length > 0 && !isText,
  };
}

/** Formats a time like `12/Mar/2020:19:03:58 +0000`. */
function requestTime(date: Date): string {
  const [, day, month, year, time] = date.toUTCString().split(' ');
  return `${day}/${month}/${year}:${time} +0000`;
}

/** Returns whether API Gateway passes on a body of this content type as text. Other bodies arrive as base64. */
function arrivesAsText(contentType = ''): boolean {
  return /^(text\/[^;]+|application\/(json|xml|javascript))\s*(;|$)/i.test(contentType);
}

/** Joins the values of repeated names with commas. */
function joinRepeats(pairs: readonly (readonly string[])[]): Record<string, string> {
  const joined = new Map<string, string>();
  for (const [name = '', value = ''] of pairs) {
    const before = joined.get(name);
    joined.set(name, before === undefined ? value : `${before},${value}`);
  }
  return Object.fromEntries(joined);
}

/**
 * Removes scheme and host from a request target in absolute form (`http://127.0.0.1:3000/webhook?a=1`), which a server
 * must accept.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9112#section-3.2.2
 */
function originForm(target: string): string {
  return target.replace(/^https?:\/\/[^/?#]*/i, '');
}

function splitOnce(text: string, separator: string): string[] {
  const index = text.indexOf(separator);
  return index === -1 ? [text] : [text.slice(0, index), text.slice(index + separator.length)];
}
