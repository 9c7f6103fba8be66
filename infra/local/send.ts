import { readFile } from 'node:fs/promises';
import { CHAT_TIMEOUT_MS } from '../../lambda/limits.ts';
import { MAX_INSTANCES } from './aws/function.ts';
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
  isLocal,
  isOk,
  post,
  unixSeconds,
  type Field,
  type HttpReply,
} from './chat.ts';
import { run, UsageError, userPath, wholeNumber } from './command-line.ts';

const USAGE = `Builds, signs and posts deliveries as Tencent Cloud Chat does.
Without options it sends Tencent's documented sample to the receiver that 'npm start' runs.

Usage: npm run send -- [options]

  --url URL               the receiver's URL (default: ${LOCAL_URL})
  --sdk-app-id ID         the app's SDKAppID (default, on this machine only: ${EXAMPLE_SDK_APP_ID})
  --token TOKEN           the webhook token (default: $${TOKEN_VARIABLE}; else, on this machine only: ${EXAMPLE_TOKEN})
  --unsigned              sends no Sign and no RequestTime, as Chat with its authentication off
  --request-time SECONDS  RequestTime, Unix seconds (default: now)
  --client-ip ADDRESS     ClientIP (default: ${EXAMPLE_CLIENT.clientIp})
  --opt-platform PLATFORM OptPlatform (default: ${EXAMPLE_CLIENT.optPlatform})

  --command COMMAND       CallbackCommand, in URL and body. Handled are, the first being the default:
${DOCUMENTED_SAMPLES.map(({ CallbackCommand }) => `                            ${CallbackCommand}`).join('\n')}
                          The body has the fields of the command; those not given are Tencent's sample's:
  --official-account ID     Official_Account
  --operator-account ID     Operator_Account
  --owner-account ID        Owner_Account
  --name NAME               Name
  --introduction TEXT       Introduction
  --face-url URL            FaceUrl
  --organization TEXT       Organization
                          A change of the profile carries only those of the last four that are given, if any is
  --event-time MS         EventTime, Unix milliseconds (default: now; the sample's own, ${DOCUMENTED_SAMPLE.EventTime},
                          where neither the command nor a field of the body is given)
  --file FILE             posts this file as the body, byte for byte; its CallbackCommand goes into the URL

  --count N               sends N deliveries (default: 1); {n} in a field becomes the delivery's number, from 1,
                          and the default official account gets it at its end
  --concurrency N         as many at a time (default: 1)
  -h, --help              prints this

Prints status, reply and milliseconds. Exit code 0 where every reply was OK as Chat understands it (HTTP 200 and no other,
ActionStatus OK, ErrorCode 0, ErrorInfo), else 1; 2 where the options make no sense.`;

const OPTIONS = {
  url: { type: 'string', default: LOCAL_URL },
  'sdk-app-id': { type: 'string' },
  token: { type: 'string' },
  unsigned: { type: 'boolean', default: false },
  'request-time': { type: 'string' },
  'client-ip': { type: 'string', default: EXAMPLE_CLIENT.clientIp },
  'opt-platform': { type: 'string', default: EXAMPLE_CLIENT.optPlatform },
  command: { type: 'string' },
  'official-account': { type: 'string' },
  'operator-account': { type: 'string' },
  'owner-account': { type: 'string' },
  name: { type: 'string' },
  introduction: { type: 'string' },
  'face-url': { type: 'string' },
  organization: { type: 'string' },
  'event-time': { type: 'string' },
  file: { type: 'string' },
  count: { type: 'string', default: '1' },
  concurrency: { type: 'string', default: '1' },
} as const;
type Options = Parameters<Parameters<typeof run<typeof OPTIONS>>[2]>[0];

/** How much of a reply is shown, in characters. */
const MAX_SHOWN = 500;
/** The option that each part of a body comes from. */
const FIELDS = {
  Official_Account: 'official-account',
  Operator_Account: 'operator-account',
  Owner_Account: 'owner-account',
  Name: 'name',
  Introduction: 'introduction',
  FaceUrl: 'face-url',
  Organization: 'organization',
} as const satisfies Record<Field, keyof Options>;

await run(USAGE, OPTIONS, async (options) => {
  const count = wholeNumber('--count', options.count, 1, 10_000_000);
  const concurrency = wholeNumber('--concurrency', options.concurrency, 1, 1_000);
  const sender = senderOf(options);
  const { command, bodyOf } = await bodies(options, count);
  const send = async (n: number): Promise<HttpReply> =>
    post(deliveryUrl(sender, command, options['request-time'] ?? unixSeconds()), bodyOf(n));
  process.exitCode = (await (count === 1 ? sendOne(send) : sendMany(send, count, concurrency))) ? 0 : 1;
});

function senderOf(options: Options) {
  // It is not repeated: it may hold a password, which only a URL that makes sense would tell.
  const url = URL.parse(options.url);
  if (url === null) throw new UsageError('--url is no URL');
  if (url.username || url.password) {
    throw new UsageError('--url holds a user name or a password: Chat takes no such URL');
  }
  if (!/^https?:$/.test(url.protocol)) throw new UsageError('--url must begin with http:// or https://');
  const isHere = isLocal(url);
  if (options.unsigned && (options.token !== undefined || options['request-time'] !== undefined)) {
    throw new UsageError('--unsigned sends neither --token nor --request-time: leave them out');
  }
  const sdkAppId = options['sdk-app-id'] ?? (isHere ? EXAMPLE_SDK_APP_ID : undefined);
  const token = options.token ?? (process.env[TOKEN_VARIABLE] || (isHere ? EXAMPLE_TOKEN : undefined));
  if (sdkAppId === undefined) throw new UsageError(`--sdk-app-id is missing, and the receiver is not on this machine`);
  if (token === undefined && !options.unsigned) {
    throw new UsageError(`--token or $${TOKEN_VARIABLE} is missing, and the receiver is not on this machine`);
  }
  if (token === '') throw new UsageError('--token is empty');
  return {
    url: options.url,
    sdkAppId,
    token: options.unsigned ? undefined : token,
    clientIp: options['client-ip'],
    optPlatform: options['opt-platform'],
  };
}

/** @returns the command, and what gives the body of the delivery with that number. */
async function bodies(
  options: Options,
  count: number,
): Promise<{ command: string; bodyOf: (n: number) => string | Uint8Array }> {
  const given: Partial<Record<Field, string>> = Object.fromEntries(
    Object.entries(FIELDS).flatMap(([field, option]) =>
      options[option] === undefined ? [] : [[field, options[option]]],
    ),
  );
  const givenNames = Object.keys(given) as Field[];
  if (options.file !== undefined) {
    const [needless] = [...givenNames, ...(options['event-time'] === undefined ? [] : ['EventTime'])];
    if (needless !== undefined) throw new UsageError(`--file is the whole body: leave out the option for ${needless}`);
    const content = await readFile(userPath(options.file)).catch((error: Error) => {
      throw new UsageError(`--file can't be read: ${error.message}`);
    });
    return { command: options.command ?? commandOf(content), bodyOf: () => content };
  }
  const eventTime =
    options['event-time'] === undefined
      ? undefined
      : wholeNumber('--event-time', options['event-time'], 0, Number.MAX_SAFE_INTEGER);
  const command = options.command ?? DOCUMENTED_SAMPLE.CallbackCommand;
  const sample = DOCUMENTED_SAMPLES.find(({ CallbackCommand }) => CallbackCommand === command) ?? DOCUMENTED_SAMPLE;
  const foreign = givenNames.find((field) => !(field in sample));
  if (foreign !== undefined) throw new UsageError(`${command} has no ${foreign}: leave out --${FIELDS[foreign]}`);
  const isChange = command === 'OfficialAccount.CallbackAfterOfficialAccountInfoChanged';
  const isPart = isChange && PROFILE.some((field) => field in given);
  const isSample = givenNames.length === 0 && options.command === undefined && count === 1;
  const fields = { ...sample, ...(count > 1 && { Official_Account: `${sample.Official_Account}_{n}` }), ...given };
  const bodyOf = (n: number) => {
    const texts = Object.entries(fields)
      .filter(([field]) => !(isPart && PROFILE.some((each) => each === field && !(each in given))))
      .map(([field, value]) => [field, String(value).replaceAll('{n}', String(n))]);
    const time = eventTime ?? (isSample ? sample.EventTime : Date.now());
    return JSON.stringify({ ...Object.fromEntries(texts), CallbackCommand: command, EventTime: time });
  };
  return { command, bodyOf };
}

/** The command of a whole body: in Chat's URL stands the same. */
function commandOf(body: Uint8Array): string {
  try {
    const { CallbackCommand } = JSON.parse(Buffer.from(body).toString());
    if (typeof CallbackCommand === 'string') return CallbackCommand;
  } catch {
    // A body that is cut short, for instance, is posted all the same.
  }
  return DOCUMENTED_SAMPLE.CallbackCommand;
}

/** @returns whether the reply was OK. */
async function sendOne(send: (n: number) => Promise<HttpReply>): Promise<boolean> {
  try {
    const reply = await send(1);
    console.log(`${shown(reply)}  ${reply.milliseconds} ms`);
    if (reply.milliseconds > CHAT_TIMEOUT_MS) console.log(`Chat would have given up after ${CHAT_TIMEOUT_MS} ms.`);
    return isOk(reply);
  } catch (error) {
    console.log((error as Error).message);
    return false;
  }
}

/** A reply on one line, whatever stands in it: a terminal obeys control characters. */
function shown({ status, body }: HttpReply): string {
  const text = body.slice(0, MAX_SHOWN).replaceAll(/[\p{C}\p{Zl}\p{Zp}]/gu, (character) => {
    const escaped = JSON.stringify(character).slice(1, -1);
    return escaped === character ? `\\u{${character.codePointAt(0)?.toString(16)}}` : escaped;
  });
  return `HTTP ${status}  ${text}${body.length > MAX_SHOWN ? ` … (${body.length} characters)` : ''}`;
}

/** @returns whether every reply was OK. */
async function sendMany(send: (n: number) => Promise<HttpReply>, count: number, concurrency: number): Promise<boolean> {
  const replies = { milliseconds: [] as number[], late: 0, waitedMs: [] as number[] };
  const failures = new Map<string, number>();
  let started = 0;
  let done = 0;
  const failed = (what: string) => failures.set(what, (failures.get(what) ?? 0) + 1);
  const start = performance.now();
  const progress = () => {
    const perSecond = Math.round(done / ((performance.now() - start) / 1000));
    return `${done} of ${count} sent, ${perSecond}/s, ${[...failures.values()].reduce((sum, n) => sum + n, 0)} not OK`;
  };
  const timer = setInterval(
    () => process.stderr.write(process.stderr.isTTY ? `\r${progress()}` : `${progress()}\n`),
    1_000,
  );

  async function worker(): Promise<void> {
    while (started < count) {
      try {
        const reply = await send((started += 1));
        replies.milliseconds.push(reply.milliseconds);
        if (reply.milliseconds > CHAT_TIMEOUT_MS) replies.late += 1;
        if (reply.waitedMs > 0) replies.waitedMs.push(reply.waitedMs);
        if (!isOk(reply)) failed(shown(reply));
      } catch (error) {
        failed((error as Error).message);
      }
      done += 1;
    }
  }
  await Promise.all(Array.from({ length: Math.min(concurrency, count) }, worker));
  clearInterval(timer);

  process.stderr.write(process.stderr.isTTY ? '\r' : '');
  console.log(progress());
  if (replies.milliseconds.length > 0) console.log(`Milliseconds to the reply: ${percentiles(replies.milliseconds)}`);
  if (replies.waitedMs.length > 0) {
    console.log(
      `Of that, ${replies.waitedMs.length} waited for an instance of the function, of which this machine runs ` +
        `${MAX_INSTANCES} at most: ${percentiles(replies.waitedMs)}`,
    );
  }
  if (replies.late > 0) console.log(`${replies.late} came after ${CHAT_TIMEOUT_MS} ms: Chat would have given up.`);
  for (const [what, times] of failures) console.log(`${times} × ${what}`);
  return failures.size === 0;
}

function percentiles(values: readonly number[]): string {
  const sorted = values.toSorted((a, b) => a - b);
  const percentile = (p: number) => sorted[Math.min(sorted.length - 1, Math.floor(p * sorted.length))];
  return `p50 ${percentile(0.5)}, p99 ${percentile(0.99)}, slowest ${percentile(1)}`;
}
