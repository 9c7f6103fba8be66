import { randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import * as v from 'valibot';
import { Failure } from '../local/command-line.ts';
import { printable } from './terminal.ts';
import { userSig } from './user-sig.ts';

/** Where Chat's REST API is, by the place of the app's data. @see https://www.tencentcloud.com/document/product/1047/34620 */
export const HOSTS: Readonly<Record<string, string>> = {
  china: 'console.tim.qq.com',
  singapore: 'adminapisgp.im.qcloud.com',
  seoul: 'adminapikr.im.qcloud.com',
  tokyo: 'adminapijpn.im.qcloud.com',
  frankfurt: 'adminapiger.im.qcloud.com',
  'silicon-valley': 'adminapiusa.im.qcloud.com',
  jakarta: 'adminapiidn.im.qcloud.com',
};

/** What of an app lets somebody call the REST API in its name. */
export interface ChatApp {
  sdkAppId: string;
  /** Makes every UserSig of the app: keep it out of whatever is printed or stored. */
  key: string;
  /** The user ID of an app administrator. */
  administrator: string;
  /** Where the API is, without a path. */
  url: string;
}

/** An official account, as far as Chat tells of it here. */
export interface ChatAccount {
  /** Unix seconds. */
  createTime: number;
  name: string | undefined;
  introduction: string | undefined;
  faceUrl: string | undefined;
  organization: string | undefined;
  ownerAccount: string | undefined;
}

/** What Chat says of an ID: its account, that there is none, or what else is wrong. */
export type AccountAnswer = { account: ChatAccount } | 'unknown' | { problem: string };

export interface ChatRestApi {
  /**
   * Asks for official accounts, at most {@link MAX_IDS} of them.
   *
   * @throws Failure where no further call would have more success.
   */
  officialAccounts(ids: readonly string[]): Promise<ReadonlyMap<string, AccountAnswer>>;
  /**
   * Asks for the addresses and CIDR ranges that webhooks come from.
   *
   * @param receiver where the receiver is; Hong Kong counts as China.
   * @throws Failure
   */
  webhookAddresses(receiver: 'inChina' | 'elsewhere'): Promise<string[]>;
}

/** How many official accounts one call tells of. */
export const MAX_IDS = 50;

/** The pauses before a call that failed in passing is made again, in ms: half a minute in all. */
const RETRY_PAUSES_MS = [500, 1_000, 2_000, 4_000, 8_000, 8_000, 8_000];

export interface Pace {
  /** From the start of one call to that of the next. */
  callMs: number;
  retryPausesMs: readonly number[];
}
/** A quarter of the 200 calls a second that Chat takes: the rest is for the app itself. */
const PACE: Pace = { callMs: 20, retryPausesMs: RETRY_PAUSES_MS };

const CALL_TIMEOUT_MS = 10_000;
/** A call makes its own signature, so that this only has to be more than what two clocks differ by. */
const SIG_SECONDS = 60 * 60;

/** What passes by itself: too many calls, a timeout, an internal error of Chat's. */
const PASSING = new Set([10004, 20005, 60007, 60008, 60011, 60014, 60018, 60019]);

/** There is no such official account, or it was destroyed. */
const NO_SUCH_ACCOUNT = 130004;

/**
 * What all further calls would fail for as well, with what to do.
 *
 * @see https://www.tencentcloud.com/document/product/1047/34348 "Error Codes"
 */
const HOPELESS: Readonly<Record<number, string>> = {
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
/** The code of the call stands outside of the list; here stands that of the account. */
const ITEM = v.looseObject({
  Official_Account: v.optional(v.string()),
  ErrorCode: v.optional(v.number(), 0),
  ErrorInfo: v.optional(v.string(), ''),
});
type Item = v.InferOutput<typeof ITEM>;
const ACCOUNTS = v.object({ OfficialAccountInfoList: v.array(ITEM) });
/** An empty text says no more than an absent one: a new account has no profile. */
const optionalText = v.optional(
  v.pipe(
    v.string(),
    v.transform((text) => text.toWellFormed() || undefined),
  ),
);
const ACCOUNT = v.object({
  CreateTime: v.pipe(v.number(), v.safeInteger(), v.minValue(1)),
  Name: optionalText,
  Introduction: optionalText,
  FaceUrl: optionalText,
  Organization: optionalText,
  Owner_Account: optionalText,
});

/** Chat turns the call down as it is, or answers something else: another call may fare better. */
class Refused extends Error {
  readonly code: number | undefined;

  constructor(message: string, code?: number) {
    super(message);
    this.code = code;
  }
}

/** Opens the REST API of Chat for one app. */
export function chatRestApi({ sdkAppId, key, administrator, url }: ChatApp, pace: Pace = PACE): ChatRestApi {
  let nextStart = 0;

  async function call(path: string, body: object, parameters: Record<string, string> = {}): Promise<unknown> {
    for (let attempt = 0; ; attempt += 1) {
      const now = Date.now();
      const start = Math.max(now, nextStart);
      nextStart = start + pace.callMs;
      if (start > now) await sleep(start - now);
      const answer = await tryCall(path, body, parameters);
      if (!('passing' in answer)) return answer.value;
      const pause = pace.retryPausesMs[attempt];
      if (pause === undefined) throw new Failure(`Chat does not answer as it should: ${answer.passing}`);
      await sleep(pause);
    }
  }

  async function tryCall(
    path: string,
    body: object,
    parameters: Record<string, string>,
  ): Promise<{ value: unknown } | { passing: string }> {
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
    let text: string;
    try {
      const response = await fetch(target, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
        redirect: 'error', // the URL holds the signature
        signal: AbortSignal.timeout(CALL_TIMEOUT_MS),
      });
      if (response.status !== 200) return { passing: `HTTP ${response.status} from ${target.origin}` };
      // An error of Chat's may repeat what was sent.
      text = (await response.text()).replaceAll(sig, '…').replaceAll(key, '…');
    } catch (error) {
      // Not the error itself, which may hold the URL.
      const { name, cause } = error as { name: string; cause?: { code?: string } };
      return { passing: `${cause?.code ?? name} from ${target.origin}` };
    }
    const envelope = v.safeParse(ENVELOPE, parsed(text));
    if (!envelope.success) return { passing: `no JSON of Chat's from ${target.origin}` };
    const { ErrorCode: code, ErrorInfo: info } = envelope.output;
    if (code === 0) return { value: envelope.output };
    const said = `ErrorCode ${code}, ${printable(info)}`;
    if (PASSING.has(code)) return { passing: said };
    const advice = HOPELESS[code];
    if (advice !== undefined) throw new Failure(`Chat refuses the call: ${said}. First: ${advice}.`);
    throw new Refused(said, code);
  }

  /** Asks for accounts, and where Chat turns that down, for one half and the other: one must not take others with it. */
  async function ask(ids: readonly string[], answers: Map<string, AccountAnswer>): Promise<void> {
    const [onlyId, ...others] = ids;
    if (onlyId === undefined) return;
    try {
      const value = await call('official_account_open_http_svc/get_official_account_info', {
        OfficialAccountIdList: ids.map((id) => ({ Official_Account: id })),
        ResponseFilter: { OfficialAccountBaseInfoFilter: Object.keys(ACCOUNT.entries) },
      });
      const { OfficialAccountInfoList: items } = read(ACCOUNTS, value);
      const ofId = new Map(items.map((item) => [item.Official_Account, item]));
      if (items.length > 0 && ofId.has(undefined)) {
        // No page says that every item names its account. Asked for alone, it need not.
        if (others.length > 0) throw new Refused('the answer does not say which account is which');
        ofId.set(onlyId, items[0]!);
      }
      for (const id of ids) answers.set(id, accountAnswer(ofId.get(id)));
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      if (others.length > 0) {
        const half = Math.ceil(ids.length / 2);
        await ask(ids.slice(0, half), answers);
        await ask(ids.slice(half), answers);
      } else answers.set(onlyId, error.code === NO_SUCH_ACCOUNT ? 'unknown' : { problem: error.message });
    }
  }

  return {
    async officialAccounts(ids) {
      const answers = new Map<string, AccountAnswer>();
      await ask(ids, answers);
      return answers;
    },

    async webhookAddresses(receiver) {
      try {
        const nettype = receiver === 'inChina' ? '5' : '6';
        return read(ADDRESSES, await call('ConfigSvc/GetIPList', {}, { nettype })).IPList;
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        throw new Failure(`Chat does not tell its addresses: ${error.message}`);
      }
    },
  };
}

function read<Schema extends v.GenericSchema>(schema: Schema, value: unknown): v.InferOutput<Schema> {
  const result = v.safeParse(schema, value);
  if (!result.success) throw new Refused(`the answer has no right ${v.getDotPath(result.issues[0])}`);
  return result.output;
}

function accountAnswer(item: Item | undefined): AccountAnswer {
  if (item === undefined) return { problem: 'Chat leaves it out of its answer' };
  const { ErrorCode: code, ErrorInfo: info } = item;
  if (code === NO_SUCH_ACCOUNT) return 'unknown';
  if (code !== 0) return { problem: `ErrorCode ${code}, ${printable(info)}` };
  const result = v.safeParse(ACCOUNT, item);
  if (!result.success) return { problem: `the answer has no right ${v.getDotPath(result.issues[0])}` };
  const { CreateTime, Name, Introduction, FaceUrl, Organization, Owner_Account } = result.output;
  return {
    account: {
      createTime: CreateTime,
      name: Name,
      introduction: Introduction,
      faceUrl: FaceUrl,
      organization: Organization,
      ownerAccount: Owner_Account,
    },
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
