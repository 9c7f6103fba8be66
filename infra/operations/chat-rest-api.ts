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

/** Chat's answer for an ID: its account, no such account, or a problem. */
export type AccountAnswer = { account: ChatAccount } | 'unknown' | { problem: string };

export type ChatRestApi = ReturnType<typeof chatRestApi>;

/** The most official accounts that one call can ask for. */
export const MAX_IDS = 50;

/** The pauses before a failed call is repeated: half a minute in all. */
const RETRY_PAUSES_MS = [500, 1_000, 2_000, 4_000, 8_000, 8_000, 8_000];

export interface Pace {
  /** The time from the start of one call to the start of the next. */
  callMs: number;
  retryPausesMs: readonly number[];
}
/** A quarter of the 200 calls a second that Chat takes, because the app itself needs the rest. */
const PACE: Pace = { callMs: 20, retryPausesMs: RETRY_PAUSES_MS };

const CALL_TIMEOUT_MS = 10_000;
/** Each call has a new signature, so this only has to exceed the difference between the clocks. */
const SIG_SECONDS = 60 * 60;

/** Temporary errors: too many calls, a timeout, an internal error of Chat. */
const TEMPORARY = new Set([10004, 20005, 60007, 60008, 60011, 60014, 60018, 60019]);

/** There is no such official account, or it was destroyed. */
const NO_SUCH_ACCOUNT = 130004;

/**
 * Errors that all further calls would get as well, with what to do.
 *
 * @see https://www.tencentcloud.com/document/product/1047/34348 "Error Codes"
 */
const PERMANENT: Readonly<Record<number, string>> = {
  60004: 'check the administrator and the key',
  60005: 'check the administrator and the key',
  60006: 'check the SDKAppID',
  60010: 'the user is no administrator of the app: give one with --administrator',
  60012: 'check the SDKAppID',
  60016: 'the app is disabled',
  60017: 'the call is disabled for this app',
  60020: "the app's plan has expired",
  60021: 'the app takes REST calls from certain addresses only, and this machine has none of them',
  70001: "the UserSig has expired: check this machine's clock",
  70003: 'check the key',
  70009: 'check that the key is that of this SDKAppID',
  70013: 'check the administrator',
  70014: 'check the SDKAppID',
  70016: 'check the SDKAppID and --chat-region',
  70020: 'check the SDKAppID and --chat-region',
  70050: 'the UserSig was wrong too often: check the key, and wait for a minute',
  131000: 'official accounts are not enabled for this app',
};

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
const ACCOUNT_FIELDS = v.object({
  CreateTime: v.pipe(v.number(), v.safeInteger(), v.minValue(1)),
  Name: optionalText,
  Introduction: optionalText,
  FaceUrl: optionalText,
  Organization: optionalText,
  Owner_Account: optionalText,
});
const ACCOUNT = v.pipe(
  ACCOUNT_FIELDS,
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
class CallRejectedError extends Error {
  override name = 'CallRejectedError';
  readonly code: number | undefined;

  constructor(message: string, code?: number) {
    super(message);
    this.code = code;
  }
}

/** Opens the REST API of Chat for one app. */
export function chatRestApi({ sdkAppId, key, administrator, url }: ChatApp, pace: Pace = PACE) {
  let nextStart = 0;

  async function call(path: string, body: object, parameters: Record<string, string> = {}): Promise<unknown> {
    for (let attempt = 0; ; attempt += 1) {
      const now = Date.now();
      const start = Math.max(now, nextStart);
      nextStart = start + pace.callMs;
      if (start > now) await sleep(start - now);
      const answer = await tryCall(path, body, parameters);
      if (!('temporaryError' in answer)) return answer.value;
      const pause = pace.retryPausesMs[attempt];
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
    const refusal = `ErrorCode ${code}, ${printable(info)}`;
    if (TEMPORARY.has(code)) return { temporaryError: refusal };
    const advice = PERMANENT[code];
    if (advice !== undefined) throw new OperationError(`Chat rejects the call: ${refusal}. First: ${advice}.`);
    throw new CallRejectedError(refusal, code);
  }

  /** Asks for accounts. If Chat rejects the call, asks for each half of them, because one ID may spoil the call. */
  async function ask(ids: readonly string[], answers: Map<string, AccountAnswer>): Promise<void> {
    const [onlyId, ...others] = ids;
    if (onlyId === undefined) return;
    try {
      const value = await call('official_account_open_http_svc/get_official_account_info', {
        OfficialAccountIdList: ids.map((id) => ({ Official_Account: id })),
        ResponseFilter: { OfficialAccountBaseInfoFilter: Object.keys(ACCOUNT_FIELDS.entries) },
      });
      const { OfficialAccountInfoList: items } = read(ACCOUNTS, value);
      const ofId = new Map(items.map((item) => [item.Official_Account, item]));
      if (items.length > 0 && ofId.has(undefined)) {
        // Tencent does not document that every item names its account. With one ID it is not needed.
        if (others.length > 0) throw new CallRejectedError('the answer does not name the accounts');
        ofId.set(onlyId, items[0]!);
      }
      for (const id of ids) answers.set(id, accountAnswer(ofId.get(id)));
    } catch (error) {
      if (!(error instanceof CallRejectedError)) throw error;
      if (others.length > 0) {
        const half = Math.ceil(ids.length / 2);
        await ask(ids.slice(0, half), answers);
        await ask(ids.slice(half), answers);
      } else answers.set(onlyId, error.code === NO_SUCH_ACCOUNT ? 'unknown' : { problem: error.message });
    }
  }

  return {
    /**
     * Asks for at most {@link MAX_IDS} official accounts.
     *
     * @throws OperationError if all further calls would fail, too.
     */
    async officialAccounts(ids: readonly string[]): Promise<ReadonlyMap<string, AccountAnswer>> {
      const answers = new Map<string, AccountAnswer>();
      await ask(ids, answers);
      return answers;
    },

    /**
     * Asks for the addresses and CIDR ranges that webhooks come from.
     *
     * @param receiver its place; Hong Kong counts as China.
     * @throws OperationError
     */
    async webhookAddresses(receiver: 'inChina' | 'elsewhere'): Promise<string[]> {
      try {
        const nettype = receiver === 'inChina' ? '5' : '6';
        return read(ADDRESSES, await call('ConfigSvc/GetIPList', {}, { nettype })).IPList;
      } catch (error) {
        if (!(error instanceof CallRejectedError)) throw error;
        throw new OperationError(`Chat does not give its addresses: ${error.message}`, { cause: error });
      }
    },
  };
}

function read<Schema extends v.GenericSchema>(schema: Schema, value: unknown): v.InferOutput<Schema> {
  const result = v.safeParse(schema, value);
  if (!result.success) throw new CallRejectedError(`the answer has no valid ${v.getDotPath(result.issues[0])}`);
  return result.output;
}

function accountAnswer(item: Item | undefined): AccountAnswer {
  if (item === undefined) return { problem: 'it is missing in the answer' };
  const { ErrorCode: code, ErrorInfo: info } = item;
  if (code === NO_SUCH_ACCOUNT) return 'unknown';
  if (code !== 0) return { problem: `ErrorCode ${code}, ${printable(info)}` };
  const result = v.safeParse(ACCOUNT, item);
  if (result.success) return { account: result.output };
  return { problem: `the answer has no valid ${v.getDotPath(result.issues[0])}` };
}
