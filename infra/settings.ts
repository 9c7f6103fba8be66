import { addressList } from '../lambda/allow-list.ts';

/** What a user decides about a deployment: CDK context, checked. */
export interface Settings {
  sdkAppId: string;
  authentication: 'token' | 'off';
  /** Addresses and CIDR ranges that may call; none means that every address may. */
  allowedCidrs: readonly string[];
  /** The webhook's own domain, with its certificate: both or neither. */
  domainName: string | undefined;
  certificateArn: string | undefined;
  /** Gets a mail when an alarm goes off. */
  alarmEmail: string | undefined;
  /** For how many hours nothing may come before that is an alarm; none means for ever. */
  silenceHours: number | undefined;
  /** Instances kept warm. */
  provisionedConcurrency: number;
  /** Suffix of the stack's name. */
  stage: string | undefined;
}

export const OPTIONS = [
  'sdkAppId',
  'authentication',
  'allowedCidrs',
  'domainName',
  'certificateArn',
  'alarmEmail',
  'silenceHours',
  'provisionedConcurrency',
  'stage',
] satisfies (keyof Settings)[] as readonly string[];

/** Lambda takes 4 KiB of environment in all; the rest of it is ours. */
const MAX_CIDRS_BYTES = 3_500;

/** CloudWatch looks back a week at most. */
const MAX_SILENCE_HOURS = 7 * 24;

/** An account's default quota of concurrent executions, less the 100 that must stay unreserved. */
const MAX_PROVISIONED = 900;

/**
 * Reads the settings out of CDK context. A value may come from `-c name=value`, as text, or from cdk.json.
 * An empty value counts as missing.
 *
 * @throws one error that names every problem.
 */
export function readSettings(context: Readonly<Record<string, unknown>>): Settings {
  const problems = misspelt(context);
  if (String(context['sdkAppId'] ?? '') === '') {
    problems.push(`sdkAppId is missing: give your app's SDKAppID, as in -c sdkAppId=1400000000`);
  }
  const text = (name: keyof Settings, pattern: RegExp, mustBe: string): string | undefined => {
    const value = String(context[name] ?? '') || undefined;
    if (value !== undefined && !pattern.test(value)) problems.push(`${name} is '${value}', but must be ${mustBe}`);
    return value;
  };
  const wholeNumber = (name: keyof Settings, min: number, max: number): number | undefined => {
    const value = String(context[name] ?? '');
    if (value === '') return undefined;
    if (!/^\d+$/.test(value) || Number(value) < min || Number(value) > max) {
      problems.push(`${name} is '${value}', but must be a whole number from ${min} to ${max}`);
    }
    return Number(value);
  };

  const settings: Settings = {
    sdkAppId: text('sdkAppId', /^\d+$/, 'digits only') ?? '',
    authentication: (text('authentication', /^(token|off)$/, "'token' or 'off'") ?? 'token') as 'token' | 'off',
    allowedCidrs: textList(context['allowedCidrs']),
    domainName: text(
      'domainName',
      /^([a-z\d]([a-z\d-]*[a-z\d])?\.)+[a-z][a-z\d-]*[a-z\d]$/i,
      'a name as in chat.example.com',
    ),
    certificateArn: text(
      'certificateArn',
      /^arn:[\w-]+:acm:[\w-]+:\d{12}:certificate\/[\w-]+$/,
      "an ACM certificate's ARN",
    ),
    alarmEmail: text('alarmEmail', /^[^\s@,]+@[^\s@,]+\.[^\s@,]+$/, 'one mail address'),
    silenceHours: wholeNumber('silenceHours', 1, MAX_SILENCE_HOURS),
    provisionedConcurrency: wholeNumber('provisionedConcurrency', 0, MAX_PROVISIONED) ?? 0,
    stage: text(
      'stage',
      /^(?=.{1,40}$)[a-z\d]+(-[a-z\d]+)*$/i,
      '1 to 40 letters and digits, with hyphens between them',
    ),
  };
  problems.push(...cidrProblems(settings.allowedCidrs, context['allowedCidrs']));
  if (settings.domainName !== undefined && settings.certificateArn === undefined) {
    problems.push("certificateArn is missing: domainName needs its certificate, of ACM's in the stack's region");
  }
  if (settings.certificateArn !== undefined && settings.domainName === undefined) {
    problems.push('domainName is missing: certificateArn is of no use without it');
  }

  if (problems.length > 0) {
    throw new SettingsError(`The stack's context is wrong:\n${problems.map((problem) => `- ${problem}\n`).join('')}`);
  }
  return settings;
}

/** A misspelt option would be ignored, and with it, perhaps, an allow-list. CDK's own names hold a sign. */
function misspelt(context: Readonly<Record<string, unknown>>): string[] {
  const letters = (name: string) => name.toLowerCase().replaceAll(/[^a-z]/g, '');
  const isLikeOurs = (name: string) =>
    OPTIONS.some((option) => letters(option) === letters(name)) || /^\w+$/.test(name);
  return Object.keys(context)
    .filter((name) => isLikeOurs(name) && !OPTIONS.includes(name))
    .map((name) => `'${name}' is not an option of this stack; its options are ${OPTIONS.join(', ')}`);
}

function cidrProblems(cidrs: readonly string[], given: unknown): string[] {
  const problems = addressList(cidrs).malformed.map(
    (cidr) => `allowedCidrs: '${cidr}' is neither an address nor a CIDR range`,
  );
  if (cidrs.length === 0 && given !== undefined && given !== '') {
    problems.push('allowedCidrs holds no address: leave it out to let every address call');
  }
  const bytes = cidrs.join().length;
  if (bytes > MAX_CIDRS_BYTES) {
    const room = `a function's environment has room for ${MAX_CIDRS_BYTES}`;
    problems.push(`allowedCidrs is ${bytes} characters long, but ${room}: merge ranges`);
  }
  return problems;
}

/** The user's options are at fault: the message says all there is to say, a stack trace nothing. */
export class SettingsError extends Error {}

/** A list as `a,b` or, in cdk.json, as `["a", "b"]`. */
function textList(value: unknown): string[] {
  const items = Array.isArray(value) ? value : String(value ?? '').split(',');
  return items.map((item) => String(item).trim()).filter((item) => item !== '');
}
