import { sign } from '../../lambda/signature.ts';

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

/** Longer than Chat's: one wants to see how late a reply is. */
const PATIENCE_MS = 30_000;

export interface HttpReply {
  status: number;
  body: string;
  milliseconds: number;
}

/** Posts a body as Chat does: without a content type. @throws where no reply comes, with a reason that names the URL's origin. */
export async function post(url: URL, body: string | Uint8Array): Promise<HttpReply> {
  const start = performance.now();
  try {
    // Text would make fetch add a content type.
    const response = await fetch(url, {
      method: 'POST',
      body: Buffer.from(body),
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    return {
      status: response.status,
      body: await response.text(),
      milliseconds: Math.round(performance.now() - start),
    };
  } catch (error) {
    const { cause } = error as { cause?: Error };
    throw new Error(`no reply from ${url.origin}: ${cause?.message ?? String(error)}`, { cause: error });
  }
}

/** Whether Chat would take this reply for a webhook dealt with. */
export function isOk({ status, body }: HttpReply): boolean {
  try {
    return status === 200 && JSON.parse(body).ActionStatus === 'OK';
  } catch {
    return false;
  }
}
