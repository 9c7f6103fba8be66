import { once } from 'node:events';
import * as http from 'node:http';
import * as https from 'node:https';
import { UsageError } from './errors.ts';
import { isLocal, LOOPBACK_HOSTS } from './loopback.ts';

/** How long to wait for a reply. Longer than Chat waits, so that late replies can be measured. */
export const REPLY_TIMEOUT_MS = 30_000;

export interface Agents {
  'http:': http.Agent;
  'https:': https.Agent;
}

/** Connections are kept for 1 s: our own gateway closes an idle one after 5 s. */
const AGENT = { keepAlive: true, timeout: 1_000 };
/** For this machine. Node's default agents use the proxy of the environment (NODE_USE_ENV_PROXY). */
export const DIRECT: Agents = { 'http:': new http.Agent(AGENT), 'https:': new https.Agent(AGENT) };

/** The hosts of this machine, in the syntax of NO_PROXY. */
const NO_PROXY = [...LOOPBACK_HOSTS, '::1', '127.0.0.0-127.255.255.255'];

/**
 * Creates agents that use the proxy in HTTPS_PROXY or HTTP_PROXY, except for this machine and the hosts in NO_PROXY. As in
 * curl, the variables may be in lower case, which wins. No agent has a `timeout`, because it would limit the time in which
 * the proxy connects.
 *
 * @throws UsageError if a variable holds no URL of an HTTP proxy.
 */
export function createAgents(env: NodeJS.ProcessEnv = process.env): Agents {
  const proxyEnv = {
    http_proxy: proxyUrl('HTTP_PROXY', env),
    https_proxy: proxyUrl('HTTPS_PROXY', env),
    no_proxy: [env['no_proxy'] || env['NO_PROXY'] || '', ...NO_PROXY].join(),
  };
  return {
    'http:': new http.Agent({ keepAlive: true, proxyEnv }),
    'https:': new https.Agent({ keepAlive: true, proxyEnv }),
  };
}

/**
 * Checks a variable, because Node ignores the URLs of other proxies. The message does not repeat the URL, because it may
 * contain a password.
 */
function proxyUrl(name: string, env: NodeJS.ProcessEnv): string | undefined {
  const value = env[name.toLowerCase()] || env[name];
  if (!value) return undefined;
  const url = value.includes('://') ? value : `http://${value}`; // as curl does
  if (/^https?:$/.test(URL.parse(url)?.protocol ?? '')) return url;
  throw new UsageError(`$${name} must be the URL of an HTTP proxy, for example http://proxy.example.com:3128`);
}

let agents: Agents | undefined;

export interface RequestOptions {
  method?: 'POST';
  headers?: http.OutgoingHttpHeaders;
  body?: string | Uint8Array;
  signal?: AbortSignal;
}

/**
 * Makes an HTTP request, without following redirects. It goes through the proxy of the environment unless it leads to this
 * machine.
 *
 * @throws if nothing answers.
 */
export async function request(
  url: URL,
  { body, signal = AbortSignal.timeout(REPLY_TIMEOUT_MS), ...options }: RequestOptions = {},
): Promise<http.IncomingMessage> {
  const protocol = url.protocol as keyof Agents;
  const agent = isLocal(url) ? DIRECT[protocol] : (agents ??= createAgents())[protocol];
  const sent = (protocol === 'https:' ? https : http).request(url, { ...options, signal, agent });
  sent.end(body);
  // After a reply with status 101, Node closes the connection without an error.
  const closed = once(sent, 'close').then(() => Promise.reject(new Error('the connection was closed')));
  const [response] = (await Promise.race([once(sent, 'response'), closed])) as [http.IncomingMessage];
  return response;
}
