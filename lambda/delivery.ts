import type { Request } from '@middy/core';
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from 'aws-lambda';
import type { ForwardFailure } from './outcomes.ts';

/** One HTTP POST from Chat: the fields of API Gateway's event that the receiver uses, and the results of its steps. */
export interface Delivery extends Pick<
  APIGatewayProxyEventV2,
  'headers' | 'cookies' | 'queryStringParameters' | 'isBase64Encoded'
> {
  requestContext: { requestId: string; timeEpoch: number; http: { sourceIp: string } };
  query: Query;
  /** Query string as Chat sent it. It contains Sign, so it must not be logged. */
  rawQueryString?: string;
  /** Text before `parseBody`, and the JSON value after it. */
  body?: unknown;
  /** Original body. Set by {@link bodyBytes}. */
  bytes?: Buffer;
  /** Result of forwarding, if the delivery is forwarded. */
  forwarded?: Promise<ForwardResult>;
  /** Milliseconds from EventTime to the receipt. Set by `readEvent`. */
  eventAgeMs?: number;
  /** Milliseconds that DynamoDB took to answer. Set by `dispatch`. */
  storeMs?: number;
}

/** Result of forwarding a delivery to the app's backend. */
export interface ForwardResult {
  /** Undefined if the backend has answered. */
  failure?: ForwardFailure;
  /** The backend's answer. */
  answer?: APIGatewayProxyStructuredResultV2;
  /** Code or name of the error. Messages could repeat what a stranger has sent. */
  errorCode?: string;
  /** Milliseconds until the end of the answer, or until the failure. */
  ms: number;
}

/**
 * Parameters that Chat appends to the webhook URL.
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
  /** Address of the end client, not of the Chat server. */
  clientIp?: string;
  /** Any text, because Tencent's own pages disagree on the values. */
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
 * Reads Chat's parameters from the query. Names are case-insensitive, and an empty value counts as absent.
 * If a name occurs in two spellings (`Sign`, `sign`), a comma joins the values, as API Gateway does with repeated
 * names. The checks reject such a Sign, RequestTime or SdkAppid, and such a command counts as not handled.
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
 * Returns the time when API Gateway received the delivery, in Unix milliseconds. It is not the function's clock,
 * because a cold start must not make a delivery look late.
 */
export function receivedTime(delivery: Delivery): number {
  return delivery.requestContext.timeEpoch;
}

/** Returns the bytes of the original body, before and after `parseBody`. */
export function bodyBytes(delivery: Delivery): Buffer {
  const { body, isBase64Encoded } = delivery;
  delivery.bytes ??= Buffer.from(typeof body === 'string' ? body : '', isBase64Encoded ? 'base64' : 'utf8');
  return delivery.bytes;
}

/** Returns whether the delivery looks like the console's Verify request: no command in the URL and an empty body. */
export function isVerifyRequest(delivery: Delivery): boolean {
  return delivery.query.callbackCommand === undefined && bodyBytes(delivery).toString().trim() === '';
}

/** Returns the callback command in the URL or the body. The console's Verify request has none. */
export function callbackCommand({ query, body }: Pick<Delivery, 'query' | 'body'>): unknown {
  return query.callbackCommand ?? commandInBody(body);
}

/** Returns the callback command in the body. An empty one counts as absent, as in the URL. */
export function commandInBody(body: unknown): unknown {
  const command = field(body, 'CallbackCommand');
  return command === '' || command === null ? undefined : command;
}

/** Returns a field of the parsed body, or undefined if the body is not an object or not parsed yet. */
export function field(body: unknown, wireName: string): unknown {
  return typeof body === 'object' && body !== null ? (body as Record<string, unknown>)[wireName] : undefined;
}
