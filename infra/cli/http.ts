import { once } from 'node:events';
import * as http from 'node:http';
import * as https from 'node:https';

/** How long to wait for a reply. Longer than Chat waits, so that late replies can be measured. */
export const REPLY_TIMEOUT_MS = 30_000;

/** Connections are kept for 1 s: our own gateway closes an idle one after 5 s. */
const AGENT = { keepAlive: true, timeout: 1_000 };
/** For this machine. Node's default agents use the proxy of the environment (NODE_USE_ENV_PROXY). */
export const DIRECT = { 'http:': new http.Agent(AGENT), 'https:': new https.Agent(AGENT) };

/** Makes a GET request to this machine, without a proxy. @throws if nothing answers. */
export async function getLocal(
  url: string,
  signal = AbortSignal.timeout(REPLY_TIMEOUT_MS),
): Promise<http.IncomingMessage> {
  const request = http.get(url, { signal, agent: DIRECT['http:'] });
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  return response;
}
