import { createHmac } from 'node:crypto';
import { createServer } from 'node:http';
import { json } from 'node:stream/consumers';
import { inflateSync } from 'node:zlib';
import { listen, type Loopback } from '../infra/local/aws/loopback.ts';
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

/**
 * Starts a counterpart of Chat's REST API. It answers the calls of our commands as documented.
 *
 * @see https://www.tencentcloud.com/document/product/1047/60758 "Obtaining Official Account Information"
 * @see https://www.tencentcloud.com/document/product/1047/36742 "Getting Server IP Addresses"
 */
export async function startChatRestServer(): Promise<ChatRestServer> {
  const starts: number[] = [];
  const reject = (ErrorCode: number, ErrorInfo: string) => ({ ActionStatus: 'FAIL', ErrorInfo, ErrorCode });
  const server = createServer(async (request, response) => {
    const { pathname, searchParams: query } = new URL(request.url ?? '', api.url);
    const body = (await json(request)) as { OfficialAccountIdList?: { Official_Account: string }[] };
    const ids = (body.OfficialAccountIdList ?? []).map(({ Official_Account }) => Official_Account);
    api.calls.push({ ids, query });
    const fault = api.fault(api.calls.length);
    const now = performance.now();
    starts.push(now);
    const answer = () => {
      if (starts.filter((start) => now - start < 1_000).length > 200) return reject(60007, 'call frequency limit');
      const wrong = sigProblem(query);
      if (wrong !== undefined) return wrong;
      if (pathname === '/v4/ConfigSvc/GetIPList') {
        return {
          ActionStatus: 'OK',
          ErrorCode: 0,
          IPList: query.get('nettype') === '6' ? api.addresses : ['192.0.2.9'],
        };
      }
      if (pathname !== '/v4/official_account_open_http_svc/get_official_account_info') {
        return reject(60009, 'no such call');
      }
      if (ids.length === 0 || ids.length > 50) return reject(6017, 'OfficialAccountIdList has a wrong length');
      return {
        ActionStatus: 'OK',
        ErrorInfo: '',
        ErrorCode: 0,
        OfficialAccountInfoList: ids.map((id) => ({
          Official_Account: id,
          ...(api.accounts.get(id) ?? { ErrorCode: 130004, ErrorInfo: 'official account not exist' }),
        })),
      };
    };
    const { status, body: text } = fault ?? { status: 200, body: JSON.stringify(answer()) };
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

/** Checks a UserSig as documented by Tencent, without the code under test. */
function sigProblem(query: URLSearchParams): Item | undefined {
  const reject = (ErrorCode: number, ErrorInfo: string) => ({ ActionStatus: 'FAIL', ErrorInfo, ErrorCode });
  const sig = query.get('usersig') ?? '';
  const standard = sig.replaceAll('*', '+').replaceAll('-', '/').replaceAll('_', '=');
  let document: Record<string, string | number>;
  try {
    document = JSON.parse(inflateSync(Buffer.from(standard, 'base64')).toString());
  } catch {
    return reject(70003, `UserSig parse failed, ${sig}`);
  }
  const names = ['identifier', 'sdkappid', 'time', 'expire'];
  const content = names.map((name) => `TLS.${name}:${document[`TLS.${name}`]}\n`).join('');
  const expected = createHmac('sha256', KEY).update(content).digest('base64');
  if (query.get('sdkappid') !== SDK_APP_ID) return reject(70020, 'sdkappid not exist');
  if (expected !== document['TLS.sig']) return reject(70009, `UserSig verification failed, ${sig}`);
  if (query.get('identifier') !== document['TLS.identifier']) return reject(70013, 'identifier not match');
  if (query.get('identifier') !== 'administrator') return reject(60010, 'not an administrator');
  const age = Date.now() / 1000 - Number(document['TLS.time']);
  if (age < -60 || age > Number(document['TLS.expire'])) return reject(70001, 'UserSig expired');
  const random = query.get('random') ?? '';
  if (!/^\d{1,10}$/.test(random) || Number(random) >= 2 ** 32) return reject(60002, 'random is not 32 bits');
  return query.get('contenttype') === 'json' ? undefined : reject(60002, 'contenttype');
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
