import { createHash } from 'node:crypto';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Delivery } from '../lambda/delivery.ts';

export const SDK_APP_ID = '1400000000';
export const TOKEN = 'xxxxyyyy';
/** Maximum time that Chat waits for a reply. @see https://www.tencentcloud.com/document/product/1047/34354 */
export const CHAT_TIMEOUT_MS = 2_000;
export const CREATED = 'OfficialAccount.CallbackAfterCreateOfficialAccount';

/** All documented commands of official accounts (Tencent's pages 1047/60795 to 60805). */
export const DOCUMENTED_COMMANDS = [
  'OfficialAccount.CallbackBeforeCreateOfficialAccount',
  'OfficialAccount.CallbackAfterCreateOfficialAccount',
  'OfficialAccount.CallbackAfterOfficialAccountInfoChanged',
  'OfficialAccount.CallbackAfterOfficialAccountDestroyed',
  'OfficialAccount.CallbackAfterOfficialAccountFull',
  'OfficialAccount.CallbackBeforeAddSubscriber',
  'OfficialAccount.CallbackAfterAddSubscriber',
  'OfficialAccount.CallbackAfterDeleteSubscriber',
  'OfficialAccount.CallbackBeforeSendMsg',
  'OfficialAccount.CallbackAfterSendMsg',
  'OfficialAccount.CallbackAfterMsgWithDraw',
];

const DIRECTORY = join(import.meta.dirname, 'deliveries');

/** Reads a body from `test/deliveries`. */
export function recorded(name: string): Record<string, unknown> {
  return JSON.parse(readFileSync(join(DIRECTORY, `${name}.json`), 'utf8'));
}

/** Tencent's documented samples in `test/deliveries`, by command: one for each handled command. */
export const SAMPLES: ReadonlyMap<string, Record<string, unknown>> = new Map(
  globSync('*.json', { cwd: DIRECTORY }).map((file) => {
    const sample = recorded(file.slice(0, -'.json'.length));
    return [String(sample['CallbackCommand']), sample];
  }),
);

/** Signs as documented by Tencent, without the code under test. */
export function signed(requestTime: string | number, token = TOKEN): { Sign: string; RequestTime: string } {
  return {
    Sign: createHash('sha256').update(`${token}${requestTime}`).digest('hex'),
    RequestTime: String(requestTime),
  };
}

export function unixSeconds(): number {
  return Math.floor(Date.now() / 1000);
}

/** Replaces the signature of a query. @param seconds from now. */
export function sign(query: URLSearchParams, seconds = 0, token = TOKEN): void {
  for (const [name, value] of Object.entries(signed(unixSeconds() + seconds, token))) query.set(name, value);
}

/** The parts of Chat's request that a test may change. */
export interface HttpDelivery {
  query: URLSearchParams;
  payload: Record<string, unknown>;
  /** Replaces the payload. */
  body?: string | Uint8Array;
  headers: Record<string, string>;
}

/** Returns a correct delivery with the change of the test. */
export function httpDelivery(change: (delivery: HttpDelivery) => void = () => {}): HttpDelivery {
  const delivery: HttpDelivery = {
    query: new URLSearchParams({
      SdkAppid: SDK_APP_ID,
      CallbackCommand: CREATED,
      contenttype: 'json',
      ClientIP: '203.0.113.7',
      OptPlatform: 'RESTAPI',
      ...signed(unixSeconds()),
    }),
    payload: recorded('created'),
    headers: {},
  };
  change(delivery);
  return delivery;
}

/** The complete OK reply. */
export const OK = { status: 200, type: 'application/json', body: '{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0}' };

/** Posts a correct delivery with the given change, or a delivery of {@link httpDelivery}. */
export async function post(url: string, delivery: HttpDelivery | ((delivery: HttpDelivery) => void) = () => {}) {
  const { query, payload, body, headers } = typeof delivery === 'function' ? httpDelivery(delivery) : delivery;
  const response = await fetch(`${url}?${query}`, {
    method: 'POST',
    headers,
    body: Buffer.from(body ?? JSON.stringify(payload)),
  });
  return { status: response.status, type: response.headers.get('content-type'), body: await response.text() };
}

/** Time of arrival of the unit tests' deliveries, in Unix milliseconds. */
export const RECEIVED = 1_670_574_415_500;

/** Returns a correct delivery in the form that the checks get, with the change of the test. */
export function delivery(change: (delivery: Delivery) => void = () => {}): Delivery {
  const event: Delivery = {
    headers: {},
    requestContext: { requestId: 'request-1', timeEpoch: RECEIVED, http: { sourceIp: '198.51.100.1' } },
    query: { sdkAppId: SDK_APP_ID, callbackCommand: CREATED },
    body: recorded('created'),
    isBase64Encoded: false,
  };
  change(event);
  return event;
}

/** Returns the request that middy passes to a check. */
export function request(change?: (delivery: Delivery) => void): { event: Delivery } & Record<string, any> {
  return { event: delivery(change), context: {}, response: undefined, error: undefined, internal: {} };
}
