import { randomInt } from 'node:crypto';
import { text as readText } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import * as v from 'valibot';
import { OperationError, UsageError } from '../cli/errors.ts';
import { request } from '../cli/http.ts';
import { parseJson, printable } from '../cli/terminal.ts';
import { userSig } from './user-sig.ts';

/**
 * The hosts of Chat's REST API, by the region of the app's data.
 *
 * @see https://www.tencentcloud.com/document/product/1047/34620
 */
export const HOSTS: Readonly<Record<string, string>> = {
  china: 'console.tim.qq.com',
  singapore: 'adminapisgp.im.qcloud.com',
  seoul: 'adminapikr.im.qcloud.com',
  tokyo: 'adminapijpn.im.qcloud.com',
  frankfurt: 'adminapiger.im.qcloud.com',
  'silicon-valley': 'adminapiusa.im.qcloud.com',
  jakarta: 'adminapiidn.im.qcloud.com',
};

/** An app, with the credentials for its REST API. */
export interface ChatApp {
  sdkAppId: string;
  /** Never print or store it: it signs for every user of the app. */
  key: string;
  /** The user ID of an app administrator. */
  administrator: string;
  /** The URL of the API, without a path. */
  url: string;
}

/** Chat's answer for an ID: its account, no such account, or the reason why there is none. */
export type AccountAnswer = { account: ChatAccount } | 'unknown' | { failed: string };

export type ChatRestApi = ReturnType<typeof chatRestApi>;

/** The most official accounts that one call can ask for. */
export const MAX_IDS = 50;

/** The time between the starts of two calls. Chat takes 200 a second, of which the app itself needs most. */
const CALL_MS = 20;
/** The pauses before a failed call is repeated: half a minute in all. */
const RETRY_PAUSES_MS = [500, 1_000, 2_000, 4_000, 8_000, 8_000, 8_000];
const CALL_TIMEOUT_MS = 10_000;
/** Each call has a new signature, so this only has to exceed the difference between the clocks. */
const SIG_SECONDS = 60 * 60;

/** Temporary errors: too many calls, a timeout, an internal error of Chat. */
const TEMPORARY = new Set([10004, 20005, 60007, 60008, 60011, 60014, 60018, 60019]);

/** There is no such official account, or it was destroyed. */
const NO_SUCH_ACCOUNT = 130004;

/**
 * What to do about errors that all further calls would get as well.
 *
 * @see https://www.tencentcloud.com/document/product/1047/34348 "Error Codes"
 */
const PERMANENT: readonly [advice: string, codes: number[]][] = [
  [
    'check the SDKAppID, its key, --administrator and --chat-region',
    [60004, 60005, 60006, 60012, 70003, 70009, 70013, 70014, 70016, 70020],
  ],
  ['the user is no administrator of the app: give one with --administrator', [60010]],
  ['the app, its plan or this call is disabled: see the Chat console', [60016, 60017, 60020]],
  ['official accounts are not enabled for this app', [131000]],
  ['the app takes REST calls from certain addresses only, and this machine has none of them', [60021]],
  ["the UserSig has expired: check this machine's clock", [70001]],
  ['the UserSig was wrong too often: check the key, and wait for a minute', [70050]],
];

const ENVELOPE = v.looseObject({ ErrorCode: v.number(), ErrorInfo: v.optional(v.string(), '') });
const ADDRESSES = v.object({ IPList: v.array(v.string()) });
/** An account in the answer. It has an ErrorCode of its own. */
const ITEM = v.looseObject({
  Official_Account: v.optional(v.string()),
  ErrorCode: v.optional(v.number(), 0),
  ErrorInfo: v.optional(v.string(), ''),
});
type Item = v.InferOutput<typeof ITEM>;
const ACCOUNTS = v.object({ OfficialAccountInfoList: v.array(ITEM) });
/** Reads an empty text as absent, because a new account has an empty profile. */
const optionalText = v.optional(
  v.pipe(
    v.string(),
    v.transform((text) => text.toWellFormed() || undefined),
  ),
);
const ACCOUNT = v.pipe(
  v.object({
    CreateTime: v.pipe(v.number(), v.safeInteger(), v.minValue(1)),
    Name: optionalText,
    Introduction: optionalText,
    FaceUrl: optionalText,
    Organization: optionalText,
    Owner_Account: optionalText,
  }),
  v.transform(({ CreateTime, Name, Introduction, FaceUrl, Organization, Owner_Account }) => ({
    createTime: CreateTime,
    name: Name,
    introduction: Introduction,
    faceUrl: FaceUrl,
    organization: Organization,
    ownerAccount: Owner_Account,
  })),
);
/** An official account; `createTime` is in Unix seconds. */
export type ChatAccount = v.InferOutput<typeof ACCOUNT>;

/** Chat rejects a call, or answers in another format. Another call may succeed. */
class CallRejectedError extends OperationError {
  override name = 'CallRejectedError';
  readonly code: number | undefined;

  constructor(message: string, code?: number) {
    super(message);
    this.code = code;
  }
}

/** Opens the REST API of Chat for one app. */
export function chatRestApi({ sdkAppId, key, administrator, url }: ChatApp) {
  let nextStart = 0;

  async function call(path: string, body: object, parameters: Record<string, string> = {}): Promise<unknown> {
    for (let attempt = 0; ; attempt += 1) {
      const now = Date.now();
      const start = Math.max(now, nextStart);
      nextStart = start + CALL_MS;
      if (start > now) await sleep(start - now);
      const answer = await tryCall(path, body, parameters);
      if (!('temporaryError' in answer)) return answer.value;
      const pause = RETRY_PAUSES_MS[attempt];
      if (pause === undefined) throw new OperationError(`Chat's REST API fails: ${answer.temporaryError}`);
      await sleep(pause);
    }
  }

  async function tryCall(
    path: string,
    body: object,
    parameters: Record<string, string>,
  ): Promise<{ value: unknown } | { temporaryError: string }> {
    const sig = userSig(key, {
      sdkAppId,
      userId: administrator,
      time: Math.floor(Date.now() / 1000),
      validSeconds: SIG_SECONDS,
    });
    const target = new URL(`/v4/${path}`, url);
    const query = {
      sdkappid: sdkAppId,
      identifier: administrator,
      usersig: sig,
      random: String(randomInt(2 ** 32)),
      contenttype: 'json',
      ...parameters,
    };
    for (const [name, value] of Object.entries(query)) target.searchParams.set(name, value);
    let answer: string;
    try {
      const response = await request(target, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(CALL_TIMEOUT_MS),
      });
      answer = await readText(response);
      if (response.statusCode !== 200) return { temporaryError: `HTTP ${response.statusCode} from ${target.origin}` };
    } catch (error) {
      if (error instanceof UsageError) throw error;
      // The error itself may contain the URL.
      const { name, code, cause } = error as { name: string; code?: string; cause?: Error };
      return { temporaryError: `${(name === 'AbortError' && cause?.name) || (code ?? name)} from ${target.origin}` };
    }
    // Chat's error messages may repeat parts of the request.
    const text = answer.replaceAll(sig, '…').replaceAll(key, '…');
    const envelope = v.safeParse(ENVELOPE, parseJson(text));
    if (!envelope.success) return { temporaryError: `an answer of another format from ${target.origin}` };
    const { ErrorCode: code, ErrorInfo: info } = envelope.output;
    if (code === 0) return { value: envelope.output };
    const rejection = `Chat answers ErrorCode ${code}, ${printable(info)}`;
    if (TEMPORARY.has(code)) return { temporaryError: rejection };
    const [advice] = PERMANENT.find(([, codes]) => codes.includes(code)) ?? [];
    if (advice !== undefined) throw new OperationError(`${rejection}. First: ${advice}.`);
    throw new CallRejectedError(rejection, code);
  }

  /**
   * Asks for at most {@link MAX_IDS} official accounts. If Chat rejects the call, asks for each half of them, because one
   * ID may spoil the call.
   *
   * @throws OperationError if all further calls would fail, too.
   */
  async function officialAccounts(ids: readonly string[]): Promise<[id: string, AccountAnswer][]> {
    try {
      const value = await call('official_account_open_http_svc/get_official_account_info', {
        OfficialAccountIdList: ids.map((id) => ({ Official_Account: id })),
        ResponseFilter: { OfficialAccountBaseInfoFilter: Object.keys(ACCOUNT.pipe[0].entries) },
      });
      const { OfficialAccountInfoList: items } = read(ACCOUNTS, value);
      // Tencent does not document that every item names its account. With one ID it is not needed.
      const isNamed = items.every((item) => item.Official_Account !== undefined);
      if (!isNamed && ids.length > 1) throw new CallRejectedError("Chat's answer does not name the accounts");
      const itemOf = (id: string) => (isNamed ? items.find((item) => item.Official_Account === id) : items[0]);
      return ids.map((id) => [id, accountAnswer(itemOf(id))]);
    } catch (error) {
      if (!(error instanceof CallRejectedError)) throw error;
      if (ids.length === 1) {
        return [[ids[0]!, error.code === NO_SUCH_ACCOUNT ? 'unknown' : { failed: error.message }]];
      }
      const half = Math.ceil(ids.length / 2);
      return [...(await officialAccounts(ids.slice(0, half))), ...(await officialAccounts(ids.slice(half)))];
    }
  }

  return {
    officialAccounts,

    /**
     * Asks for the addresses and CIDR ranges that webhooks come from.
     *
     * @param nettype 5 for a receiver in China, Hong Kong included, or 6.
     * @throws OperationError
     */
    webhookAddresses: async (nettype: '5' | '6'): Promise<string[]> =>
      read(ADDRESSES, await call('ConfigSvc/GetIPList', {}, { nettype })).IPList,
  };
}

function read<Schema extends v.GenericSchema>(schema: Schema, value: unknown): v.InferOutput<Schema> {
  const result = v.safeParse(schema, value);
  if (!result.success) throw new CallRejectedError(`Chat's answer has no valid ${v.getDotPath(result.issues[0])}`);
  return result.output;
}

function accountAnswer(item: Item | undefined): AccountAnswer {
  if (item === undefined) return { failed: "it is missing in Chat's answer" };
  const { ErrorCode: code, ErrorInfo: info } = item;
  if (code === NO_SUCH_ACCOUNT) return 'unknown';
  if (code !== 0) return { failed: `Chat answers ErrorCode ${code}, ${printable(info)}` };
  const result = v.safeParse(ACCOUNT, item);
  if (result.success) return { account: result.output };
  return { failed: `Chat's answer has no valid ${v.getDotPath(result.issues[0])}` };
}
