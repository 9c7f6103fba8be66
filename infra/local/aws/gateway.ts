import { randomBytes, randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from 'aws-lambda';
import { CHAT_TIMEOUT_MS } from '../../../lambda/limits.ts';
import type { LocalFunction } from './function.ts';
import { listen, readBody, type Loopback } from './loopback.ts';

export interface Route {
  method: string;
  path: string;
}

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
      .catch(() => {
        if (request.errored !== null || response.headersSent) return; // the client has closed the connection
        send(response, FAILURE); // the function has returned invalid headers
      })
      .finally(() => pending.delete(answered));
    pending.add(answered);
  });

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [path, ...query] = (request.url ?? '').split('?');
    if (request.method !== route.method || path !== route.path) {
      request.resume();
      return send(response, ownReply(404, 'Not Found'));
    }
    const body = await readBody(request, MAX_PAYLOAD_BYTES);
    const { httpVersion, headersDistinct: headers, socket } = request;
    const sourceIp = socket.remoteAddress ?? '';
    const rawQueryString = query.join('?');
    const event = toEvent({ httpVersion, headers, rawQueryString, body: body ?? Buffer.alloc(0), sourceIp }, route);
    const replied = observe(event, body);
    const isTooLarge = body === undefined || Buffer.byteLength(JSON.stringify(event)) > MAX_EVENT_BYTES;
    const reply = isTooLarge ? ownReply(413, 'Request Entity Too Large') : await replyOf(event).catch(() => FAILURE);
    replied(reply);
    send(response, { ...reply, headers: { ...reply.headers, [REQUEST_ID_HEADER]: event.requestContext.requestId } });
  }

  async function replyOf(event: APIGatewayProxyEventV2): Promise<Reply> {
    const result = (await invoke(event)) as APIGatewayProxyStructuredResultV2;
    return {
      status: result.statusCode ?? 200,
      headers: {
        ...(result.headers as Record<string, string>),
        ...(result.cookies !== undefined && { 'set-cookie': result.cookies }),
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

/** Returns a reply that API Gateway gives itself. */
function ownReply(status: number, message: string): Reply {
  return { status, headers: { 'content-type': 'application/json' }, body: Buffer.from(JSON.stringify({ message })) };
}

/** The reply if the function fails. The function's log says why. */
const FAILURE = ownReply(500, 'Internal Server Error');

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
