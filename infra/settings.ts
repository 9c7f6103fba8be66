import { Token } from 'aws-cdk-lib';
import { parseAllowList } from '../lambda/allow-list.ts';
import { isLocal } from './cli/loopback.ts';

/** Lambda allows 4 KiB of environment variables, names included. The other variables need up to 651 bytes. */
const MAX_CIDRS_BYTES = 3_300;
/** The same for `allowedCidrs` and `forwardUrl` together. */
const MAX_CIDRS_AND_URL_BYTES = 3_430;

/** CDK context that `npm start` sets. `forwardUrl` may then be a plain HTTP address of this machine. */
export const LOCAL_CONTEXT = 'tencent-chat-webhook:local';

/** CloudWatch evaluates at most seven days. */
const MAX_SILENCE_HOURS = 7 * 24;

/** The default quota of concurrent executions of an account, without the 100 that must stay unreserved. */
const MAX_PROVISIONED = 900;

/**
 * Reads one option.
 *
 * @param given The value in CDK context, where `-c` makes it a string, or in the construct's props.
 * @param report Receives a problem, as the end of a sentence that begins with the option's name.
 */
type Reader<Value> = (given: unknown, report: (problem: string) => void) => Value;

/** All options, with their types, defaults and checks. */
const READERS = {
  /** SDKAppID of the Chat app. Deliveries for other apps are rejected. */
  sdkAppId: required(
    text(/^[1-9]\d{0,19}$/, "your app's SDKAppID: 1 to 20 digits, not beginning with 0"),
    "give your app's SDKAppID, for example 1400000000",
  ),
  /**
   * Whether signatures are checked. With `off` there is no token, and anyone who knows the URL can write records.
   *
   * @default 'token'
   */
  authentication: oneOf(['token', 'off']),
  /**
   * Addresses and CIDR ranges that may call. Chat's REST call GetIPList returns those of Chat.
   *
   * @default any address
   */
  allowedCidrs: addresses,
  /**
   * HTTPS URL of your own backend, which gets the callback commands that the receiver does not handle, and whose
   * answers Chat gets. Usually the URL that was in the Chat console before.
   *
   * @default these commands are answered OK
   */
  forwardUrl: backendUrl,
  /**
   * Custom domain of the webhook; it needs `certificateArn`. The default address of API Gateway is then disabled.
   *
   * @default the default address of API Gateway
   */
  domainName: text(
    /^(?=.{1,63}$)(?!.*--)([a-z\d]([a-z\d-]*[a-z\d])?\.)+[a-z][a-z\d-]*[a-z\d]$/,
    'a name like chat.example.com, in lower case, of at most 63 characters and without two hyphens in a row (so no xn-- ' +
      'either), because the Chat console accepts no other',
  ),
  /**
   * Certificate of `domainName`, in ACM in the stack's region.
   *
   * @default no certificate
   */
  certificateArn: text(/^arn:[\w-]+:acm:[\w-]+:\d{12}:certificate\/[\w-]+$/, 'the ARN of an ACM certificate'),
  /**
   * Mail address that gets the alarms. AWS first sends it a link to confirm.
   *
   * @default no mail
   */
  alarmEmail: text(/^[^\s@,]+@[^\s@,]+\.[^\s@,]+$/, 'one mail address'),
  /**
   * Hours without an authentic delivery that turn on the alarm `Silence`, 1 to 168.
   *
   * @default no alarm
   */
  silenceHours: wholeNumber(1, MAX_SILENCE_HOURS),
  /**
   * Minutes between two probes, 1 to 60. A probe calls the webhook by its URL as Chat does; without an OK, the alarm
   * `ProbeFailed` turns on.
   *
   * @default no probe
   */
  probeMinutes: wholeNumber(1, 60),
  /**
   * Number of warm instances of the receiver, at most 900. AWS bills them by the hour.
   *
   * @default 0
   */
  provisionedConcurrency: withDefault(wholeNumber(0, MAX_PROVISIONED), 0),
  /**
   * Maximum number of requests per second, 1 to 10,000; the burst limit is twice as high. API Gateway answers further
   * requests with 429. The limits of the AWS account and region apply as well.
   *
   * @default 1000
   */
  maxRequestsPerSecond: withDefault(wholeNumber(1, 10_000), 1_000),
  /** Suffix of the stack's name. */
  stage: text(/^(?=.{1,40}$)[a-z\d]+(-[a-z\d]+)*$/i, '1 to 40 letters and digits, with hyphens between them'),
};

/** The options after all checks. */
export type Settings = { readonly [Name in keyof typeof READERS]: ReturnType<(typeof READERS)[Name]> };

/** The options as props of the construct. The host chooses the stack's name, so there is no `stage`. */
export type WebhookOptions = Pick<Settings, 'sdkAppId'> & Partial<Omit<Settings, 'sdkAppId' | 'stage'>>;

export const OPTIONS: readonly string[] = Object.keys(READERS);

/**
 * Reads the options from CDK context: `-c name=value`, or cdk.json. An empty value counts as missing, except for
 * allowedCidrs: an empty list must not allow every address. A name that resembles an option is a problem. Other names are
 * not, because context also contains what is in the user's ~/.cdk.json.
 *
 * @throws SettingsError with all problems.
 */
export function readSettings(context: Readonly<Record<string, unknown>>): Settings {
  const problems = Object.keys(context)
    .filter((name) => !OPTIONS.includes(name))
    .flatMap((name) => {
      const option = similarName(name, OPTIONS);
      return option === undefined ? [] : [`'${name}' is not an option of this stack: do you mean ${option}?`];
    });
  const settings = readOptions(context, problems, context[LOCAL_CONTEXT] === true);
  throwSettingsError(
    "The stack's context is wrong. Give options with -c name=value, for example -c sdkAppId=1400000000, or in cdk.json",
    problems,
  );
  return settings;
}

/**
 * Reads the options from context or props.
 *
 * @param problems Receives all problems.
 * @param runsLocally Whether the deployment runs on this machine.
 */
export function readOptions(
  given: Readonly<Record<string, unknown>>,
  problems: string[],
  runsLocally: boolean,
): Settings {
  const isMissing = (name: string) => given[name] === undefined || given[name] === null || given[name] === '';
  const settings = Object.fromEntries(
    Object.entries(READERS).map(([name, read]) => {
      const isAbsent = isMissing(name) && !(given[name] === '' && read === addresses);
      return [name, read(isAbsent ? undefined : given[name], (problem) => problems.push(`${name} ${problem}`))];
    }),
  ) as Settings;
  if (!isMissing('domainName') && isMissing('certificateArn')) {
    problems.push("certificateArn is missing: domainName needs its certificate, from ACM in the stack's region");
  }
  if (!isMissing('certificateArn') && isMissing('domainName')) {
    problems.push('domainName is missing: certificateArn has no effect without it');
  }
  const { forwardUrl, domainName, allowedCidrs } = settings;
  if (forwardUrl !== undefined && !isUnknown(forwardUrl)) {
    const { protocol, hostname } = new URL(forwardUrl);
    if (protocol === 'http:' && !runsLocally) problems.push('forwardUrl must begin with https://');
    if (hostname === domainName) problems.push('forwardUrl must not lead to the own domain of the webhook');
    if (forwardUrl.length + (allowedCidrs ?? []).join().length > MAX_CIDRS_AND_URL_BYTES) {
      problems.push(
        `forwardUrl and allowedCidrs together have more than the ${MAX_CIDRS_AND_URL_BYTES} characters that fit into a ` +
          "function's environment",
      );
    }
  }
  return settings;
}

/** Error in the user's options. The message is enough for the user; the stack trace does not help. */
export class SettingsError extends Error {
  override name = 'SettingsError';
}

export function throwSettingsError(what: string, problems: readonly string[]): void {
  if (problems.length === 0) return;
  throw new SettingsError(`${what}:\n${problems.map((problem) => `- ${problem}\n`).join('')}`);
}

/**
 * Returns the name that a misspelt one probably means: another case, hyphens, or up to two other, missing or additional
 * letters. In a short name, one letter.
 */
export function similarName(misspelt: string, names: readonly string[]): string | undefined {
  const letters = (name: string) => name.toLowerCase().replaceAll(/[^a-z]/g, '');
  return names.find((name) => editDistance(letters(misspelt), letters(name)) <= (name.length < 8 ? 1 : 2));
}

/** Returns the Levenshtein distance. */
function editDistance(from: string, to: string): number {
  let row = [...to, ''].map((_, index) => index);
  for (const [fromIndex, letter] of [...from].entries()) {
    const next = [fromIndex + 1];
    for (const [index, other] of [...to].entries()) {
      const substituted = row[index]! + (letter === other ? 0 : 1);
      next.push(Math.min(substituted, row[index + 1]! + 1, next[index]! + 1));
    }
    row = next;
  }
  return row[to.length]!;
}

/** Returns whether a value is not known yet: a CDK token, whose value is known only at deployment, or a dummy value. */
export function isUnknown(given: unknown): boolean {
  return Token.isUnresolved(given) || isDummy(given);
}

/**
 * Returns whether a value is CDK's dummy for a lookup, for example `StringParameter.valueFromLookup`. The CLI looks the
 * value up and synthesizes again.
 */
function isDummy(given: unknown): boolean {
  return typeof given === 'string' && given.startsWith('dummy-value-for-');
}

/** Reads a string or a number. A value that is not known yet is not checked. */
function text(pattern: RegExp, mustBe: string): Reader<string | undefined> {
  return (given, report) => {
    if (given === undefined || isUnknown(given)) return given as string | undefined;
    const value = typeof given === 'number' ? String(given) : given;
    if (typeof value === 'string' && pattern.test(value)) return value;
    return void report(`is ${quote(given)}, but must be ${mustBe}`);
  };
}

function wholeNumber(min: number, max: number): Reader<number | undefined> {
  return (given, report) => {
    if (given === undefined) return undefined;
    if (isDummy(given)) return min;
    const value = typeof given !== 'object' && /^\d+$/.test(String(given)) ? Number(given) : Number.NaN;
    if (value >= min && value <= max) return value;
    return void report(`is ${quote(given)}, but must be a whole number from ${min} to ${max}`);
  };
}

/** Reads one of the given values. The first is the default. */
function oneOf<const Value extends string>(values: readonly [Value, ...Value[]]): Reader<Value> {
  return (given, report) => {
    if (given === undefined || isDummy(given)) return values[0];
    if (!values.includes(given as Value)) {
      report(`is ${quote(given)}, but must be ${values.map((value) => `'${value}'`).join(' or ')}`);
    }
    return given as Value;
  };
}

function required(read: Reader<string | undefined>, advice: string): Reader<string> {
  return (given, report) => {
    if (given === undefined) report(`is missing: ${advice}`);
    return read(given, report) ?? '';
  };
}

function withDefault<Value>(read: Reader<Value | undefined>, value: Value): Reader<Value> {
  return (given, report) => read(given, report) ?? value;
}

/** Reads the URL of a backend. The problem does not repeat the URL, because it may contain a password. */
function backendUrl(given: unknown, report: (problem: string) => void): string | undefined {
  if (given === undefined || isUnknown(given)) return given as string | undefined;
  const url = typeof given === 'string' ? URL.parse(given) : null;
  const isLoopback = url?.protocol === 'http:' && isLocal(url);
  const hasName = url?.protocol === 'https:' && /\.[a-z][a-z\d-]*$/.test(url.hostname);
  const isPlain = url !== null && url.username + url.password === '' && !/[?#]/.test(url.href);
  if ((isLoopback || hasName) && isPlain) return url.href;
  return void report(
    'must be an HTTPS URL with a host name, and without user name, password, query or fragment, for example ' +
      'https://chat.example.com/hook',
  );
}

/** Reads a list as `a,b` or as `["a", "b"]`. */
function addresses(given: unknown, report: (problem: string) => void): readonly string[] | undefined {
  if (given === undefined) return undefined;
  if (Token.isUnresolved(given)) return void report(`is ${quote(given)}, but must be known at synthesis`);
  const items = Array.isArray(given) ? given : String(given).split(',');
  const cidrs = items.map((item) => String(item).trim()).filter((item) => item !== '');
  if (cidrs.some((cidr) => Token.isUnresolved(cidr))) {
    return void report('contains a value that is known only at deployment, but must be known at synthesis');
  }
  for (const cidr of parseAllowList(cidrs.filter((item) => !isUnknown(item))).malformed)
    report(`contains '${cidr}', which is neither an address nor a CIDR range`);
  if (cidrs.length === 0) report('is empty: leave the option out to allow every address');
  const bytes = cidrs.join().length;
  if (bytes > MAX_CIDRS_BYTES) {
    report(`has ${bytes} characters, but only ${MAX_CIDRS_BYTES} fit into a function's environment: merge ranges`);
  }
  return cidrs;
}

function quote(given: unknown): string {
  if (Token.isUnresolved(given)) return 'a value that is known only at deployment';
  return typeof given === 'object' ? JSON.stringify(given) : `'${String(given)}'`;
}
