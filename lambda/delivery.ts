import type { Request } from '@middy/core';
import type { APIGatewayProxyEventV2 } from 'aws-lambda';

/** One HTTP POST from Chat on its way through the checks: what we use of API Gateway's event, with the query read. */
export interface Delivery extends Pick<
  APIGatewayProxyEventV2,
  'headers' | 'queryStringParameters' | 'isBase64Encoded'
> {
  requestContext: { requestId: string; timeEpoch: number; http: { sourceIp: string } };
  query: Query;
  /** Text until the body parser has run, then the JSON value. */
  body?: unknown;
  /** The body as it came, once {@link bodyBytes} was called. */
  bytes?: Buffer;
  /** Milliseconds from EventTime to the receipt, once the payload is read. */
  eventAgeMs?: number;
  /** Milliseconds that DynamoDB took to answer, once it has. */
  storeMs?: number;
}

/**
 * The parameters that Chat appends to the webhook URL.
 *
 * @see https://www.tencentcloud.com/document/product/1047/34354 "Webhook Overview"
 */
export interface Query {
  sdkAppId?: string;
  callbackCommand?: string;
  /** 64 hex digits. */
  sign?: string;
  /** Unix time in seconds. */
  requestTime?: string;
  /** The end client's address, not that of the Chat server that calls. */
  clientIp?: string;
  /** Free text: Tencent's own pages disagree on its values. */
  optPlatform?: string;
}

const WIRE_NAMES = new Map<string, keyof Query>([
  ['sdkappid', 'sdkAppId'],
  ['callbackcommand', 'callbackCommand'],
  ['sign', 'sign'],
  ['requesttime', 'requestTime'],
  ['clientip', 'clientIp'],
  ['optplatform', 'optPlatform'],
]);

/**
 * Reads Chat's parameters out of the query, whatever the case of their names. An empty one counts as absent.
 * One that stands there in two cases is joined by a comma, as API Gateway joins repeats: no check takes such a value.
 */
export function readQuery({ event }: Pick<Request<Delivery>, 'event'>): void {
  const query: Query = {};
  for (const [wireName, value] of Object.entries(event.queryStringParameters ?? {})) {
    const name = WIRE_NAMES.get(wireName.toLowerCase());
    if (name === undefined || !value) continue;
    query[name] = query[name] === undefined ? value : `${query[name]},${value}`;
  }
  event.query = query;
}

/**
 * Gives the time when API Gateway received the delivery, Unix milliseconds. It is not the function's clock:
 * a cold start must not make a delivery look late.
 */
export function receivedTime(delivery: Delivery): number {
  return delivery.requestContext.timeEpoch;
}

/** Gives the bytes of the body as they came, before and after it is parsed. */
export function bodyBytes(delivery: Delivery): Buffer {
  const { body, isBase64Encoded } = delivery;
  delivery.bytes ??= Buffer.from(typeof body === 'string' ? body : '', isBase64Encoded ? 'base64' : 'utf8');
  return delivery.bytes;
}

/**
 * Tells whether a delivery can be the console's Verify probe, which carries no command in its URL and nothing in its
 * body.
 */
export function isVerifyRequest(delivery: Delivery): boolean {
  return delivery.query.callbackCommand === undefined && bodyBytes(delivery).toString().trim() === '';
}

/** Gives the callback command in the URL or the body. The console's Verify probe has none. */
export function callbackCommand({ query, body }: Pick<Delivery, 'query' | 'body'>): unknown {
  return query.callbackCommand ?? commandInBody(body);
}

/** Gives the callback command in the body. An empty one counts as absent, as in the URL. */
export function commandInBody(body: unknown): unknown {
  const command = field(body, 'CallbackCommand');
  return command === '' || command === null ? undefined : command;
}

/** Gives a field of the parsed body; undefined where the body is no object or not parsed yet. */
export function field(body: unknown, wireName: string): unknown {
  return typeof body === 'object' && body !== null ? (body as Record<string, unknown>)[wireName] : undefined;
}
