import { Option } from '@commander-js/extra-typings';
import { createOperatorProgram } from '../cli/deployed-stack.ts';
import { nonEmpty } from '../cli/command-line.ts';
import { UsageError } from '../cli/errors.ts';
import { isLocal } from '../cli/loopback.ts';
import { readSecret } from '../cli/terminal.ts';
import { HOSTS, type ChatApp } from './chat-rest-api.ts';

/** The environment variable for the app's key. */
const KEY_VARIABLE = 'CHAT_APP_KEY';

/** Creates the program of an operator command that calls Chat's REST API, with the options for the calls. */
export function createChatProgram(script: string, description: string) {
  return createOperatorProgram(script, description)
    .addOption(
      new Option('--chat-region <region>', "where Chat stores the app's data")
        .choices(Object.keys(HOSTS))
        .conflicts('chatUrl'),
    )
    .option('--chat-url <url>', "another URL of Chat's REST API, in place of --chat-region")
    .option('--administrator <userId>', 'an administrator of the app', nonEmpty, 'administrator')
    .addHelpText(
      'afterAll',
      `
The app's key from the Chat console is read from $${KEY_VARIABLE}, or asked for. It is not stored.`,
    );
}

export interface ChatOptions {
  chatRegion?: string | undefined;
  chatUrl?: string | undefined;
  administrator: string;
}

/** Returns what the calls to the REST API need. @throws UsageError */
export async function chatAppOf(options: ChatOptions, sdkAppId: string): Promise<ChatApp> {
  const { chatRegion, chatUrl, administrator } = options;
  if (chatRegion === undefined && chatUrl === undefined)
    throw new UsageError('give either --chat-region or --chat-url');
  const url = chatUrl === undefined ? `https://${HOSTS[chatRegion!]}` : checkedUrl(chatUrl);
  const key = await readSecret(KEY_VARIABLE, "the app's key");
  if (key === '') throw new UsageError("the app's key is empty");
  return { sdkAppId, key, administrator, url };
}

/** Requires HTTPS except on this machine, because the requests carry the signature of an administrator. */
function checkedUrl(text: string): string {
  // The messages do not repeat the URL, because it may contain a password.
  const url = URL.parse(text);
  const isSafe = url?.protocol === 'https:' || (url?.protocol === 'http:' && isLocal(url));
  if (url === null || !isSafe) throw new UsageError('--chat-url must begin with https://');
  if (url.href !== `${url.origin}/`) {
    throw new UsageError('--chat-url must be https:// and a host: leave out the password, the path and the query');
  }
  return url.origin;
}
