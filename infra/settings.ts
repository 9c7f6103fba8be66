import { Token } from 'aws-cdk-lib';
import { addressList } from '../lambda/allow-list.ts';

/** Lambda takes 4 KiB of environment in all, names included; ours needs up to 651 bytes, with a stage of 40 letters. */
const MAX_CIDRS_BYTES = 3_300;

/** CloudWatch looks back a week at most. */
const MAX_SILENCE_HOURS = 7 * 24;

/** An account's default quota of concurrent executions, less the 100 that must stay unreserved. */
const MAX_PROVISIONED = 900;

/**
 * Reads one option.
 *
 * @param given the value in CDK context, where `-c` makes it a text, or in the construct's props.
 * @param wrong takes what is wrong with it: the end of a sentence that begins with the option's name.
 */
type Reader<Value> = (given: unknown, wrong: (problem: string) => void) => Value;

/** Every option, once: its type, its default and its checks. */
const TABLE = {
  /** The SDKAppID of the Chat app whose deliveries are taken. A delivery for another app is refused. */
  sdkAppId: required(
    text(/^[1-9]\d{0,19}$/, "your app's SDKAppID: digits only, 20 at most, the first of them not 0"),
    "give your app's SDKAppID, 1400000000 for instance",
  ),
  /**
   * Whether the signature of a delivery is checked. `off` creates no secret: whoever knows the URL can write records.
   *
   * @default 'token'
   */
  authentication: oneOf(['token', 'off']),
  /**
   * Addresses and CIDR ranges that may call, from Chat's REST call GetIPList. Without them, every address may call.
   *
   * @default none
   */
  allowedCidrs: addresses,
  /**
   * The webhook's own domain, with `certificateArn`. API Gateway's own address is then switched off.
   *
   * @default API Gateway's own address
   */
  domainName: text(
    /^(?=.{1,63}$)(?!.*--)([a-z\d]([a-z\d-]*[a-z\d])?\.)+[a-z][a-z\d-]*[a-z\d]$/,
    'a name as in chat.example.com, in small letters, of at most 63 characters and without two hyphens in a row (xn-- ' +
      'included), as the Chat console wants it',
  ),
  /** The certificate of `domainName`: in ACM, in the stack's region. Both or neither. */
  certificateArn: text(/^arn:[\w-]+:acm:[\w-]+:\d{12}:certificate\/[\w-]+$/, "an ACM certificate's ARN"),
  /** A mail address that gets the alarms. AWS first sends it a link to confirm. */
  alarmEmail: text(/^[^\s@,]+@[^\s@,]+\.[^\s@,]+$/, 'one mail address'),
  /** For how many hours no genuine delivery may come before that is an alarm, 1 to 168. Without it, it never is. */
  silenceHours: wholeNumber(1, MAX_SILENCE_HOURS),
  /**
   * How many minutes there are between two probes, 1 to 60: a function calls the webhook by its URL as Chat does, and an
   * alarm goes off where it is not answered. Without it, there is no probe.
   */
  probeMinutes: wholeNumber(1, 60),
  /**
   * How many instances of the receiver are kept warm, at most 900. AWS bills them by the hour.
   *
   * @default 0
   */
  provisionedConcurrency: withDefault(wholeNumber(0, MAX_PROVISIONED), 0),
  /**
   * Requests a second that API Gateway lets through, 1 to 10,000, with bursts of twice as many. It answers 429 to more. AWS's
   * limits for an account and region apply as well.
   *
   * @default 1000
   */
  maxRequestsPerSecond: withDefault(wholeNumber(1, 10_000), 1_000),
  /** Suffix of the stack's name. */
  stage: text(/^(?=.{1,40}$)[a-z\d]+(-[a-z\d]+)*$/i, '1 to 40 letters and digits, with hyphens between them'),
};

/** What a user decides about a deployment, checked. */
export type Settings = { readonly [Name in keyof typeof TABLE]: ReturnType<(typeof TABLE)[Name]> };

/** The same as a user writes it for the construct: the name of a stack is for the host to choose. */
export type WebhookOptions = Pick<Settings, 'sdkAppId'> & Partial<Omit<Settings, 'sdkAppId' | 'stage'>>;

export const OPTIONS: readonly string[] = Object.keys(TABLE);

/**
 * Reads the settings out of CDK context. A value may come from `-c name=value`, as text, or from cdk.json.
 * An empty value counts as missing, except for allowedCidrs: an empty list must not let every address call.
 *
 * @throws SettingsError, which names every problem.
 */
export function readSettings(context: Readonly<Record<string, unknown>>): Settings {
  const problems = Object.keys(context)
    .filter((name) => isLikeOurs(name) && !OPTIONS.includes(name))
    .map((name) => `'${name}' is not an option of this stack; its options are ${OPTIONS.join(', ')}`);
  const settings = readOptions(context, problems);
  throwIfAny("The stack's context is wrong; give options as in -c sdkAppId=1400000000, or in cdk.json", problems);
  return settings;
}

/** Reads the options out of context or props. @param problems takes what is wrong with them. */
export function readOptions(given: Readonly<Record<string, unknown>>, problems: string[]): Settings {
  const settings = Object.fromEntries(
    Object.entries(TABLE).map(([name, read]) => {
      const isMissing = given[name] === null || (given[name] === '' && read !== addresses);
      return [name, read(isMissing ? undefined : given[name], (problem) => problems.push(`${name} ${problem}`))];
    }),
  ) as Settings;
  if (settings.domainName !== undefined && settings.certificateArn === undefined) {
    problems.push("certificateArn is missing: domainName needs its certificate, of ACM's in the stack's region");
  }
  if (settings.certificateArn !== undefined && settings.domainName === undefined) {
    problems.push('domainName is missing: certificateArn is of no use without it');
  }
  return settings;
}

/** The user's options are at fault: the message says all there is to say, a stack trace nothing. */
export class SettingsError extends Error {}

export function throwIfAny(what: string, problems: readonly string[]): void {
  if (problems.length === 0) return;
  throw new SettingsError(`${what}:\n${problems.map((problem) => `- ${problem}\n`).join('')}`);
}

/** A misspelt option would be ignored, and with it, perhaps, an allow-list. CDK's own names hold a sign. */
function isLikeOurs(name: string): boolean {
  const letters = (text: string) => text.toLowerCase().replaceAll(/[^a-z]/g, '');
  return /^\w+$/.test(name) || OPTIONS.some((option) => letters(option) === letters(name));
}

/** Reads a text, as which a number also counts. One that is known only at deployment (a CDK token) is not checked. */
function text(pattern: RegExp, mustBe: string): Reader<string | undefined> {
  return (given, wrong) => {
    if (given === undefined || Token.isUnresolved(given)) return given as string | undefined;
    const value = typeof given === 'number' ? String(given) : given;
    if (typeof value === 'string' && pattern.test(value)) return value;
    return void wrong(`is ${shown(given)}, but must be ${mustBe}`);
  };
}

function wholeNumber(min: number, max: number): Reader<number | undefined> {
  return (given, wrong) => {
    if (given === undefined) return undefined;
    const value = typeof given !== 'object' && /^\d+$/.test(String(given)) ? Number(given) : Number.NaN;
    if (value >= min && value <= max) return value;
    return void wrong(`is ${shown(given)}, but must be a whole number from ${min} to ${max}`);
  };
}

/** Reads one of the values. The first is the default. */
function oneOf<const Value extends string>(values: readonly [Value, ...Value[]]): Reader<Value> {
  return (given, wrong) => {
    if (given !== undefined && !values.includes(given as Value)) {
      wrong(`is ${shown(given)}, but must be ${values.map((value) => `'${value}'`).join(' or ')}`);
    }
    return (given ?? values[0]) as Value;
  };
}

function required(read: Reader<string | undefined>, advice: string): Reader<string> {
  return (given, wrong) => {
    if (given === undefined) wrong(`is missing: ${advice}`);
    return read(given, wrong) ?? '';
  };
}

function withDefault<Value>(read: Reader<Value | undefined>, value: Value): Reader<Value> {
  return (given, wrong) => read(given, wrong) ?? value;
}

/** Reads a list as `a,b` or as `["a", "b"]`. */
function addresses(given: unknown, wrong: (problem: string) => void): readonly string[] | undefined {
  if (given === undefined) return undefined;
  if (Token.isUnresolved(given)) return void wrong(`is ${shown(given)}, but must be known at synthesis`);
  const items = Array.isArray(given) ? given : String(given).split(',');
  const cidrs = items.map((item) => String(item).trim()).filter((item) => item !== '');
  for (const cidr of addressList(cidrs).malformed)
    wrong(`holds '${cidr}', which is neither an address nor a CIDR range`);
  if (cidrs.length === 0) wrong('holds no address: leave it out to let every address call');
  const bytes = cidrs.join().length;
  if (bytes > MAX_CIDRS_BYTES) {
    wrong(`is ${bytes} characters long, but a function's environment has room for ${MAX_CIDRS_BYTES}: merge ranges`);
  }
  return cidrs;
}

function shown(given: unknown): string {
  if (Token.isUnresolved(given)) return 'a value that is known only at deployment';
  return typeof given === 'object' ? JSON.stringify(given) : `'${String(given)}'`;
}
