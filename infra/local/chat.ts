import { once } from 'node:events';
import * as http from 'node:http';
import * as https from 'node:https';
import { sign, redactSign } from '../../lambda/signature.ts';
import { WAITED } from './aws/gateway.ts';

/** The token of Tencent's documented example: the one that a receiver on this machine has by default. */
export const EXAMPLE_TOKEN = 'xxxxyyyy';
export const EXAMPLE_SDK_APP_ID = '1400000000';
export const EXAMPLE_CLIENT = { clientIp: '203.0.113.7', optPlatform: 'RESTAPI' };
/** Where a receiver on this machine listens by default. */
export const LOCAL_PORT = 3000;
export const LOCAL_URL = `http://127.0.0.1:${LOCAL_PORT}/webhook`;
/** The environment variable that a token may come from: the command line shows in the list of processes. */
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

/** The parts of a body that are texts. */
export type Field = (typeof PROFILE)[number] | 'Official_Account' | 'Operator_Account' | 'Owner_Account';
export type Sample = { CallbackCommand: string; EventTime: number } & Partial<Record<Field, string>>;

/** What a change of the profile carries, as far as it changed. */
export const PROFILE = ['Name', 'Introduction', 'FaceUrl', 'Organization'] as const;

/** What Tencent documents as the body of each command about an official account itself. */
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

/** What the Chat console knows of the app, and what Chat knows of who did it. */
export interface Sender {
  /** The webhook's URL, as configured in the console. */
  url: string;
  sdkAppId: string;
  /** Undefined where authentication is off. */
  token: string | undefined;
  clientIp: string;
  optPlatform: string;
}

/**
 * The URL that Chat posts a delivery to. Whoever has it can post for a minute: keep it out of logs.
 *
 * @param callbackCommand none as with the console's Verify button.
 */
export function deliveryUrl(sender: Sender, callbackCommand?: string, requestTime = unixSeconds()): URL {
  const url = new URL(sender.url);
  const parameters = {
    SdkAppid: sender.sdkAppId,
    ...(callbackCommand !== undefined && { CallbackCommand: callbackCommand }),
    contenttype: 'json',
    ClientIP: sender.clientIp,
    OptPlatform: sender.optPlatform,
    ...(sender.token !== undefined && { Sign: sign(sender.token, requestTime), RequestTime: requestTime }),
  };
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  return url;
}

export function unixSeconds(): string {
  return String(Math.floor(Date.now() / 1000));
}

/** Whether the URL leads to this machine. */
export function isLocal(url: URL): boolean {
  return ['127.0.0.1', 'localhost', '[::1]'].includes(url.hostname);
}

/** Longer than Chat's: one wants to see how late a reply is. */
const PATIENCE_MS = 30_000;
/** Of a reply. Ours have a hundred; what is larger is none. */
const MAX_REPLY_BYTES = 64 * 1024;

export interface HttpReply {
  status: number;
  /** Its first 64 KiB, without the Sign of the delivery. */
  body: string;
  milliseconds: number;
  /** How long of that the delivery waited for an instance of the function, on this machine only. */
  waitedMs: number;
}

/** A connection is used again within this time: our own gateway closes it after 5 s without a word. */
const AGENT = { keepAlive: true, timeout: 1_000 };
/** Node's own agents go through a proxy where the environment has one (NODE_USE_ENV_PROXY): none leads back here. */
export const DIRECT = { 'http:': new http.Agent(AGENT), 'https:': new https.Agent(AGENT) };

/**
 * Posts a body as Chat does: without a content type, and without following a redirect.
 *
 * @throws where no reply comes, with a reason that names the URL's origin.
 */
export async function post(url: URL, body: string | Uint8Array): Promise<HttpReply> {
  const start = performance.now();
  const protocol = url.protocol as keyof typeof DIRECT;
  try {
    const request = (protocol === 'https:' ? https : http).request(url, {
      method: 'POST',
      headers: { 'content-length': Buffer.byteLength(body) },
      signal: AbortSignal.timeout(PATIENCE_MS),
      ...(isLocal(url) && { agent: DIRECT[protocol] }),
    });
    request.end(body);
    // Where the receiver answers 101, which changes the protocol, Node closes the connection without an error.
    const closed = once(request, 'close').then(() => Promise.reject(new Error('the connection was closed')));
    const [response] = (await Promise.race([once(request, 'response'), closed])) as [http.IncomingMessage];
    return {
      status: response.statusCode ?? 0,
      body: redactSign(await firstBytes(response), url),
      milliseconds: Math.round(performance.now() - start),
      waitedMs: Number(new RegExp(`${WAITED};dur=(\\d+)`).exec(String(response.headers['server-timing']))?.[1] ?? 0),
    };
  } catch (error) {
    const { name, message, code, cause } = error as NodeJS.ErrnoException & { cause?: Error };
    const reason = name === 'AbortError' ? cause?.message : message || code; // localhost refuses without a message
    throw new Error(`no reply from ${url.origin}: ${reason}`, { cause: error });
  }
}

/** Asks for what this machine serves, without a proxy. @throws where nothing answers. */
export async function getHere(url: string, signal = AbortSignal.timeout(PATIENCE_MS)): Promise<http.IncomingMessage> {
  const request = http.get(url, { signal, agent: DIRECT['http:'] });
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  return response;
}

async function firstBytes(response: http.IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > MAX_REPLY_BYTES) break; // which ends the connection
  }
  return Buffer.concat(chunks).subarray(0, MAX_REPLY_BYTES).toString();
}

/** Whether Chat would take this reply for a webhook dealt with: 200 exactly, and all three fields. */
export function isOk({ status, body }: HttpReply): boolean {
  try {
    const { ActionStatus, ErrorInfo, ErrorCode } = JSON.parse(body);
    return status === 200 && ActionStatus === 'OK' && typeof ErrorInfo === 'string' && ErrorCode === 0;
  } catch {
    return false;
  }
}
