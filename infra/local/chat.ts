import type { IncomingMessage } from 'node:http';
import { sign, redactSign } from '../../lambda/signature.ts';
import { request } from '../cli/http.ts';
import { LOCAL_PORT } from '../cli/local-deployment.ts';
import { parseJson } from '../cli/terminal.ts';
import { REQUEST_ID_HEADER } from './aws/gateway.ts';

/** The token of Tencent's documented example, and the default token of `npm start`. */
export const EXAMPLE_TOKEN = 'xxxxyyyy';
export const EXAMPLE_SDK_APP_ID = '1400000000';
export const EXAMPLE_CLIENT = { clientIp: '203.0.113.7', optPlatform: 'RESTAPI' };
/** The default URL of `npm start`. */
export const LOCAL_URL = `http://127.0.0.1:${LOCAL_PORT}/webhook`;
/** The environment variable for the token. Other users can see the command line in the list of processes. */
export const TOKEN_VARIABLE = 'CHAT_WEBHOOK_TOKEN';

/** @see https://www.tencentcloud.com/document/product/1047/60796 "Sample request" */
export const DOCUMENTED_SAMPLE = {
  CallbackCommand: 'OfficialAccount.CallbackAfterCreateOfficialAccount',
  Official_Account: '@TOA#_test_OA_for_penn',
  Operator_Account: '107867',
  Owner_Account: '107867',
  Name: 'TestOfficialAccount',
  EventTime: 1670574414123,
} as const;

/** The profile fields. Chat sends those that changed. */
export const PROFILE: readonly string[] = ['Name', 'Introduction', 'FaceUrl', 'Organization'];

type Sample = { CallbackCommand: string; EventTime: number } & Record<string, string | number>;

/** Tencent's documented sample of each command about an official account itself. */
export const DOCUMENTED_SAMPLES: readonly Sample[] = [
  DOCUMENTED_SAMPLE,
  /** @see https://www.tencentcloud.com/document/product/1047/60797 "Sample request" */
  {
    CallbackCommand: 'OfficialAccount.CallbackAfterOfficialAccountInfoChanged',
    Official_Account: '@TOA#_test_OA_for_penn',
    Operator_Account: 'leckie',
    Introduction: 'NewNotification',
    Name: 'NewName',
    FaceUrl: 'http://this.is.newface.url',
    Organization: 'NewOrganization',
    EventTime: 1670574414123,
  },
  /** @see https://www.tencentcloud.com/document/product/1047/60798 "Sample request" */
  {
    CallbackCommand: 'OfficialAccount.CallbackAfterOfficialAccountDestroyed',
    Official_Account: '@TOA#_test_OA_for_penn',
    Owner_Account: '107867',
    Name: 'TestOfficialAccount',
    EventTime: 1670574414123,
  },
  /** @see https://www.tencentcloud.com/document/product/1047/60801 "Sample request" */
  {
    CallbackCommand: 'OfficialAccount.CallbackAfterOfficialAccountFull',
    Official_Account: '@TOA#_test_OA_for_penn',
    EventTime: 1670574414123,
  },
];

/** The app and the user for which Chat makes a delivery. */
export interface Sender {
  /** The webhook's URL, as configured in the console. */
  url: string;
  sdkAppId: string;
  /** Undefined if authentication is off. */
  token: string | undefined;
  clientIp: string;
  optPlatform: string;
}

/**
 * Returns the URL to which Chat posts a delivery. Keep it out of logs: for a minute, anyone can post with it.
 *
 * @param callbackCommand undefined for a request of the console's Verify button.
 */
export function deliveryUrl(sender: Sender, callbackCommand?: string, requestTime = unixSeconds()): URL {
  const url = new URL(sender.url);
  const parameters = {
    SdkAppid: sender.sdkAppId,
    ...(callbackCommand !== undefined && { CallbackCommand: callbackCommand }),
    contenttype: 'json',
    ClientIP: sender.clientIp,
    OptPlatform: sender.optPlatform,
  };
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  return sender.token === undefined ? url : signUrl(url, sender.token, requestTime);
}

/** Sets Sign and RequestTime. */
export function signUrl(url: URL, token: string, requestTime = unixSeconds()): URL {
  url.searchParams.set('Sign', sign(token, requestTime));
  url.searchParams.set('RequestTime', requestTime);
  return url;
}

export function unixSeconds(): string {
  return String(Math.floor(Date.now() / 1000));
}

/** The receiver's own replies have about 100 bytes. */
const MAX_REPLY_BYTES = 64 * 1024;

export interface HttpReply {
  status: number;
  /** Its first 64 KiB, without the Sign of the delivery. */
  body: string;
  milliseconds: number;
  /** Request ID of API Gateway. Empty if the reply has none. */
  requestId: string;
}

/**
 * Posts a body as Chat does: without a content type, and without following redirects.
 *
 * @throws if no reply comes. The message has the URL's origin, but not its Sign.
 */
export async function post(
  url: URL,
  body: string | Uint8Array,
  headers: Readonly<Record<string, string>> = {},
): Promise<HttpReply> {
  const start = performance.now();
  try {
    const sent = { ...headers, 'content-length': Buffer.byteLength(body) };
    const response = await request(url, { method: 'POST', headers: sent, body });
    return {
      status: response.statusCode ?? 0,
      body: redactSign(await firstBytes(response), url),
      milliseconds: Math.round(performance.now() - start),
      requestId: String(response.headers[REQUEST_ID_HEADER] ?? ''),
    };
  } catch (error) {
    const { name, message, code, cause } = error as NodeJS.ErrnoException & { cause?: Error };
    // ECONNREFUSED from localhost has no message.
    const reason = name === 'AbortError' ? cause?.message : message || code;
    throw new Error(`no reply from ${url.origin}: ${reason}`, { cause: error });
  }
}

async function firstBytes(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > MAX_REPLY_BYTES) break; // this closes the connection
  }
  return Buffer.concat(chunks).subarray(0, MAX_REPLY_BYTES).toString();
}

/** Returns whether Chat takes this reply as a success: HTTP 200 exactly, and all three fields. */
export function isOk({ status, body }: HttpReply): boolean {
  const { ActionStatus, ErrorInfo, ErrorCode } = parseJson(body) ?? {};
  return status === 200 && ActionStatus === 'OK' && typeof ErrorInfo === 'string' && ErrorCode === 0;
}
