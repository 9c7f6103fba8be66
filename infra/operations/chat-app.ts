import { isLocal } from '../local/chat.ts';
import { UsageError } from '../local/command-line.ts';
import { HOSTS, type ChatApp } from './chat-rest-api.ts';
import { secret } from './terminal.ts';

/** The environment variable that the app's key may come from. */
export const KEY_VARIABLE = 'CHAT_APP_KEY';

/** The options that say how to call Chat's REST API. */
export const CHAT_OPTIONS = {
  'chat-region': { type: 'string' },
  'chat-url': { type: 'string' },
  administrator: { type: 'string', default: 'administrator' },
} as const;

export const CHAT_USAGE = `  --chat-region R  where the app's data is: ${Object.keys(HOSTS).join(', ')}
  --chat-url URL   in place of --chat-region, another address of Chat's REST API
  --administrator USERID
                   an administrator of the app (default: administrator)`;

export const KEY_USAGE = `The app's key, from the Chat console, is asked for, or taken from $${KEY_VARIABLE}. It is not stored.`;

/** Puts together what the calls need. @throws UsageError */
export async function chatAppOf(
  options: { 'chat-region'?: string | undefined; 'chat-url'?: string | undefined; administrator: string },
  sdkAppId: string,
): Promise<ChatApp> {
  const { 'chat-region': region, 'chat-url': url, administrator } = options;
  if (administrator === '') throw new UsageError('--administrator is empty');
  const base = url === undefined ? regionUrl(region) : givenUrl(url, region);
  const key = await secret(KEY_VARIABLE, "the app's key");
  if (key === '') throw new UsageError("the app's key is empty");
  return { sdkAppId, key, administrator, url: base };
}

function regionUrl(region: string | undefined): string {
  const places = Object.keys(HOSTS).join(', ');
  if (region === undefined) throw new UsageError(`--chat-region is missing: one of ${places}`);
  if (!Object.hasOwn(HOSTS, region)) throw new UsageError(`--chat-region is '${region}', but must be one of ${places}`);
  return `https://${HOSTS[region]}`;
}

/** Whoever answers there gets an administrator's signature: no plain HTTP, except on this machine. */
function givenUrl(text: string, region: string | undefined): string {
  if (region !== undefined) throw new UsageError('give either --chat-region or --chat-url');
  // It is not repeated: it may hold a password.
  const url = URL.parse(text);
  const isSafe = url?.protocol === 'https:' || (url?.protocol === 'http:' && isLocal(url));
  if (url === null || !isSafe) throw new UsageError('--chat-url must begin with https://');
  if (url.href !== `${url.origin}/`) {
    throw new UsageError(
      '--chat-url is more than https:// and a host: leave out the password, the path and what follows',
    );
  }
  return url.origin;
}
