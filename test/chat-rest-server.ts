import { createServer } from 'node:http';
import { json } from 'node:stream/consumers';
import { inflateSync } from 'node:zlib';
import { listen, type Loopback } from '../infra/local/aws/loopback.ts';
import { userSig } from '../infra/operations/user-sig.ts';
import { SDK_APP_ID } from './delivery.ts';

/** Key of the app, in the form of a real one. */
export const KEY = '5bd2850fff3ecb11d7c805251c51ee463a25727bddc2385f3fa8bfee1bb93b5e';

type Item = Record<string, unknown>;
type Answer = { status: number; body: string } | undefined;

export interface ChatRestServer extends Loopback {
  /** Accounts by ID, in the form of Chat's answer. */
  accounts: Map<string, Item>;
  addresses: string[];
  /** Returns an answer that replaces the API's own, for example an error. */
  fault: (call: number) => Answer;
  /** All calls, with their IDs and parameters. */
  calls: { ids: string[]; query: URLSearchParams }[];
}

const ok = (result: object) => ({ ActionStatus: 'OK', ErrorInfo: '', ErrorCode: 0, ...result });
const reject = (ErrorCode: number, ErrorInfo: string) => ({ ActionStatus: 'FAIL', ErrorInfo, ErrorCode });

/**
 * Starts a counterpart of Chat's REST API. It answers the calls of our commands as documented.
 *
 * @see https://www.tencentcloud.com/document/product/1047/60758 "Obtaining Official Account Information"
 * @see https://www.tencentcloud.com/document/product/1047/36742 "Getting Server IP Addresses"
 */
export async function startChatRestServer(): Promise<ChatRestServer> {
  function answer(pathname: string, query: URLSearchParams, ids: readonly string[]): object {
    if (pathname === '/v4/ConfigSvc/GetIPList') {
      return ok({ IPList: query.get('nettype') === '6' ? api.addresses : ['192.0.2.9'] });
    }
    if (pathname !== '/v4/official_account_open_http_svc/get_official_account_info') {
      return reject(60009, 'no such call');
    }
    if (ids.length === 0 || ids.length > 50) return reject(6017, 'OfficialAccountIdList has a wrong length');
    const unknown = { ErrorCode: 130004, ErrorInfo: 'official account not exist' };
    return ok({
      OfficialAccountInfoList: ids.map((id) => ({ Official_Account: id, ...(api.accounts.get(id) ?? unknown) })),
    });
  }
  const server = createServer(async (request, response) => {
    const { pathname, searchParams: query } = new URL(request.url ?? '', api.url);
    const body = (await json(request)) as { OfficialAccountIdList?: { Official_Account: string }[] };
    const ids = (body.OfficialAccountIdList ?? []).map(({ Official_Account }) => Official_Account);
    api.calls.push({ ids, query });
    const { status, body: text } = api.fault(api.calls.length) ?? {
      status: 200,
      body: JSON.stringify(problem(query) ?? answer(pathname, query, ids)),
    };
    response.writeHead(status, { 'content-type': 'application/json' }).end(text);
  });
  const api: ChatRestServer = {
    ...(await listen(server, 0)),
    accounts: new Map(),
    addresses: ['127.0.0.2', '183.192.202.0/25'],
    fault: () => undefined,
    calls: [],
  };
  return api;
}

/** Checks the parameters of every call as documented. test/infra/operations/user-sig.test.ts checks the UserSig itself. */
function problem(query: URLSearchParams): Item | undefined {
  const { usersig = '', sdkappid, identifier = '', random = '', contenttype } = Object.fromEntries(query);
  const document = decodeUserSig(usersig);
  const [time, validSeconds] = [Number(document['TLS.time']), Number(document['TLS.expire'])];
  if (sdkappid !== SDK_APP_ID) return reject(70020, 'sdkappid not exist');
  if (usersig !== userSig(KEY, { sdkAppId: SDK_APP_ID, userId: identifier, time, validSeconds })) {
    return reject(70009, `UserSig verification failed, ${usersig}`);
  }
  if (identifier !== 'administrator') return reject(60010, 'not an administrator');
  const age = Date.now() / 1000 - time;
  if (age < -60 || age > validSeconds) return reject(70001, 'UserSig expired');
  const isRandom = /^\d{1,10}$/.test(random) && Number(random) < 2 ** 32;
  return isRandom && contenttype === 'json' ? undefined : reject(60002, 'random or contenttype');
}

/** Returns the content of a UserSig. */
export function decodeUserSig(sig: string): Record<string, unknown> {
  const base64 = sig.replaceAll('*', '+').replaceAll('-', '/').replaceAll('_', '=');
  return JSON.parse(inflateSync(Buffer.from(base64, 'base64')).toString());
}

/** Returns a correct account in the form of Chat's answer. */
export function chatAccount(item: Item = {}): Item {
  return {
    ErrorCode: 0,
    ErrorInfo: '',
    CreateTime: 1670574414,
    Name: 'TestOfficialAccount',
    Owner_Account: '107867',
    LastMsgTime: 0,
    SubscriberNum: 0,
    Introduction: '',
    FaceUrl: '',
    Organization: '',
    CustomString: '',
    ...item,
  };
}
