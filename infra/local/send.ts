import { readFile } from 'node:fs/promises';
import { Option } from '@commander-js/extra-typings';
import { CHAT_TIMEOUT_MS } from '../../lambda/limits.ts';
import { createProgram, nonEmpty, run, userPath, wholeNumber } from '../cli/command-line.ts';
import { UsageError } from '../cli/errors.ts';
import { isLocal } from '../cli/loopback.ts';
import { parseJson } from '../cli/terminal.ts';
import {
  DOCUMENTED_SAMPLE,
  DOCUMENTED_SAMPLES,
  EXAMPLE_CLIENT,
  EXAMPLE_SDK_APP_ID,
  EXAMPLE_TOKEN,
  LOCAL_URL,
  PROFILE,
  TOKEN_VARIABLE,
  deliveryUrl,
  isOk,
  post,
  unixSeconds,
  type HttpReply,
} from './chat.ts';

/** The text fields of the documented samples, each with its option, as in --face-url for FaceUrl. */
const FIELDS = [...new Set(DOCUMENTED_SAMPLES.flatMap(Object.keys))]
  .filter((field) => field !== 'CallbackCommand' && field !== 'EventTime')
  .map((field) => {
    const name = field.replaceAll(/_|(?<=[a-z])(?=[A-Z])/g, '-').toLowerCase();
    return { field, option: new Option(`--${name} <text>`, field) };
  });

const CHANGED = 'OfficialAccount.CallbackAfterOfficialAccountInfoChanged';

/** How much of a reply is printed, in characters. */
const MAX_PRINTED = 500;

export function sendProgram() {
  const program = createProgram(
    'npm run send --',
    `Builds, signs and posts deliveries as Tencent Cloud Chat does. Without options it sends Tencent's documented sample to 'npm start'.`,
  )
    .option('--url <url>', "the receiver's URL", LOCAL_URL)
    .option('--sdk-app-id <id>', `the app's SDKAppID (default for this machine: ${EXAMPLE_SDK_APP_ID})`)
    .option(
      '--token <token>',
      `the webhook token (default: $${TOKEN_VARIABLE}; for this machine else ${EXAMPLE_TOKEN})`,
      nonEmpty,
    )
    .addOption(
      new Option(
        '--unsigned',
        'send neither Sign nor RequestTime, as Chat does when its authentication is off',
      ).conflicts(['token', 'requestTime']),
    )
    .option('--request-time <seconds>', 'RequestTime in Unix seconds (default: now)')
    .option('--client-ip <address>', 'ClientIP', EXAMPLE_CLIENT.clientIp)
    .option('--opt-platform <platform>', 'OptPlatform', EXAMPLE_CLIENT.optPlatform)
    .option('--count <n>', 'how many deliveries to send', wholeNumber(1, 10_000_000), 1)
    .option('--concurrency <n>', 'how many of them at the same time', wholeNumber(1, 1_000), 1)
    .optionsGroup('Body (default of each field: from the documented sample of the command):')
    .option(
      '--command <command>',
      `CallbackCommand, in the URL and in the body (default: ${DOCUMENTED_SAMPLE.CallbackCommand})`,
    )
    .option(
      '--event-time <ms>',
      "EventTime in Unix milliseconds (default: now; the sample's own if the body has no options)",
      wholeNumber(0, Number.MAX_SAFE_INTEGER),
    )
    .addOption(
      new Option('--file <file>', 'post this file as the body, byte for byte; its CallbackCommand goes into the URL')
        .argParser(userPath)
        .conflicts(['eventTime', ...FIELDS.map(({ option }) => option.attributeName())]),
    );
  for (const { option } of FIELDS) program.addOption(option);
  return program
    .addHelpText(
      'after',
      `
The fields have a default for these commands. For another command, use --file:
${DOCUMENTED_SAMPLES.map(({ CallbackCommand }) => `  ${CallbackCommand}`).join('\n')}
A change of the profile carries only the given fields of ${PROFILE.join(', ')}: all of them
if none is given.
In the text of a field, {n} becomes the number of the delivery, from 1. With --count, the default Official_Account ends
with this number.

Prints status, reply and milliseconds. Exit code 0 if Chat would take every reply as OK (HTTP 200, ActionStatus OK,
ErrorCode 0, ErrorInfo), 1 if not, 2 if the options are wrong.`,
    )
    .action(async (options) => {
      const { count, concurrency, requestTime } = options;
      const sender = senderOf(options);
      const { command, bodyOf } = await bodies(options, count);
      const send = async (n: number) => post(deliveryUrl(sender, command, requestTime ?? unixSeconds()), bodyOf(n));
      process.exitCode = (await (count === 1 ? sendOne(send) : sendMany(send, count, concurrency))) ? 0 : 1;
    });
}

type Options = ReturnType<ReturnType<typeof sendProgram>['opts']>;

function senderOf({ url: text, sdkAppId, token, unsigned, clientIp, optPlatform }: Options) {
  // The messages do not repeat the URL, because it may contain a password.
  const url = URL.parse(text);
  if (url === null) throw new UsageError('--url is not a URL');
  if (url.username || url.password) throw new UsageError('--url must not contain a user name or a password');
  if (!/^https?:$/.test(url.protocol)) throw new UsageError('--url must begin with http:// or https://');
  const isHere = isLocal(url);
  const sender = {
    url: text,
    sdkAppId: sdkAppId ?? (isHere ? EXAMPLE_SDK_APP_ID : undefined),
    token: token ?? (process.env[TOKEN_VARIABLE] || (isHere ? EXAMPLE_TOKEN : undefined)),
  };
  if (sender.sdkAppId === undefined) {
    throw new UsageError('--sdk-app-id is missing; only a receiver on this machine has a default');
  }
  if (sender.token === undefined && !unsigned) {
    throw new UsageError(`--token or $${TOKEN_VARIABLE} is missing; only a receiver on this machine has a default`);
  }
  return { ...sender, sdkAppId: sender.sdkAppId, token: unsigned ? undefined : sender.token, clientIp, optPlatform };
}

interface Bodies {
  command: string;
  /** Returns the body of the delivery with this number. */
  bodyOf(n: number): string | Uint8Array;
}

async function bodies({ file, command: givenCommand, eventTime, ...options }: Options, count: number): Promise<Bodies> {
  if (file !== undefined) {
    const content = await readFile(file).catch((error: Error) => {
      throw new UsageError(`--file can't be read: ${error.message}`, { cause: error });
    });
    return { command: givenCommand ?? commandOf(content), bodyOf: () => content };
  }
  const command = givenCommand ?? DOCUMENTED_SAMPLE.CallbackCommand;
  const sample = DOCUMENTED_SAMPLES.find(({ CallbackCommand }) => CallbackCommand === command) ?? DOCUMENTED_SAMPLE;
  const given: Record<string, string> = {};
  for (const { field, option } of FIELDS) {
    const value = (options as Record<string, unknown>)[option.attributeName()];
    if (value === undefined) continue;
    if (!(field in sample)) throw new UsageError(`${command} has no ${field}: leave out ${option.long}`);
    given[field] = String(value);
  }
  const isPartialChange = command === CHANGED && PROFILE.some((field) => field in given);
  const isSample = Object.keys(given).length === 0 && givenCommand === undefined && count === 1;
  const fields = { ...sample, ...(count > 1 && { Official_Account: `${sample.Official_Account}_{n}` }), ...given };
  const texts = Object.entries(fields).filter(
    ([field]) => !(isPartialChange && PROFILE.includes(field) && !(field in given)),
  );
  const bodyOf = (n: number) => {
    const numbered = texts.map(([field, text]) => [field, String(text).replaceAll('{n}', String(n))]);
    const time = eventTime ?? (isSample ? sample.EventTime : Date.now());
    return JSON.stringify({ ...Object.fromEntries(numbered), CallbackCommand: command, EventTime: time });
  };
  return { command, bodyOf };
}

/** Returns the CallbackCommand of a body. A body without one is posted as well, for example a truncated one. */
function commandOf(body: Buffer): string {
  const command = parseJson(body.toString())?.CallbackCommand;
  return typeof command === 'string' ? command : DOCUMENTED_SAMPLE.CallbackCommand;
}

/** @returns whether the reply was OK. */
async function sendOne(send: (n: number) => Promise<HttpReply>): Promise<boolean> {
  try {
    const reply = await send(1);
    console.log(`${replyLine(reply)}  ${reply.milliseconds} ms`);
    if (reply.milliseconds > CHAT_TIMEOUT_MS) console.log(`Chat would have given up after ${CHAT_TIMEOUT_MS} ms.`);
    return isOk(reply);
  } catch (error) {
    console.log((error as Error).message);
    return false;
  }
}

/** Formats a reply in one line. It escapes invisible characters, because they could control the terminal. */
function replyLine({ status, body }: HttpReply): string {
  const text = body.slice(0, MAX_PRINTED).replaceAll(/[\p{C}\p{Zl}\p{Zp}]/gu, (character) => {
    const escaped = JSON.stringify(character).slice(1, -1);
    return escaped === character ? `\\u{${character.codePointAt(0)?.toString(16)}}` : escaped;
  });
  const length = body.length > MAX_PRINTED ? ` … (${body.length} characters)` : '';
  const hint = status === 404 ? "  The URL's path must be exactly that of WebhookUrl, without a slash at its end." : '';
  return `HTTP ${status}  ${text}${length}${hint}`;
}

/** @returns whether every reply was OK. */
async function sendMany(send: (n: number) => Promise<HttpReply>, count: number, concurrency: number): Promise<boolean> {
  const milliseconds: number[] = [];
  const failures = new Map<string, number>();
  const addFailure = (what: string) => failures.set(what, (failures.get(what) ?? 0) + 1);
  let started = 0;
  let done = 0;
  const start = performance.now();
  const progress = () => {
    const perSecond = Math.round(done / ((performance.now() - start) / 1000));
    return `${done} of ${count} sent, ${perSecond}/s, ${[...failures.values()].reduce((sum, n) => sum + n, 0)} not OK`;
  };
  const timer = setInterval(() => console.error(progress()), 1_000);

  async function worker(): Promise<void> {
    while (started < count) {
      try {
        const reply = await send((started += 1));
        milliseconds.push(reply.milliseconds);
        if (!isOk(reply)) addFailure(replyLine(reply));
      } catch (error) {
        addFailure((error as Error).message);
      }
      done += 1;
    }
  }
  await Promise.all(Array.from({ length: Math.min(concurrency, count) }, worker));
  clearInterval(timer);

  console.log(progress());
  if (milliseconds.length > 0) console.log(`Milliseconds to the reply: ${percentiles(milliseconds)}`);
  const late = milliseconds.filter((each) => each > CHAT_TIMEOUT_MS).length;
  if (late > 0) {
    console.log(
      `${late} came after ${CHAT_TIMEOUT_MS} ms: Chat would have given up. With npm start, they may have waited for a free instance.`,
    );
  }
  for (const [what, times] of failures) console.log(`${times} × ${what}`);
  return failures.size === 0;
}

function percentiles(values: readonly number[]): string {
  const sorted = values.toSorted((a, b) => a - b);
  const percentile = (p: number) => sorted[Math.min(sorted.length - 1, Math.floor(p * sorted.length))];
  return `p50 ${percentile(0.5)}, p99 ${percentile(0.99)}, slowest ${percentile(1)}`;
}

if (import.meta.main) await run(sendProgram());
