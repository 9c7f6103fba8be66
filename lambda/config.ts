import { addressList } from './allow-list.ts';

/**
 * The function's environment variables. The stack's literal satisfies this type,
 * so that stack and function can't drift apart.
 */
export type Environment = RedriveEnvironment & {
  DEAD_LETTER_QUEUE_URL: string;
  /** Addresses and CIDR ranges, separated by commas. Absent: every caller may call. */
  ALLOWED_CIDRS?: string;
} & Authentication;

type Authentication = { AUTHENTICATION: 'token'; TOKEN_SECRET_ARN: string } | { AUTHENTICATION: 'off' };

/** The same for the function that calls the receiver as Chat does. */
export type ProbeEnvironment = Pick<RedriveEnvironment, 'SERVICE_NAME' | 'SDK_APP_ID'> & {
  WEBHOOK_URL: string;
} & Authentication;

/** The same for the function that stores what was parked. */
export type RedriveEnvironment = {
  /** The service name in every log line and metric: it tells two stacks in one account apart. */
  SERVICE_NAME: string;
  SDK_APP_ID: string;
  TABLE_NAME: string;
  PARKING_QUEUE_URL: string;
};

/** The same for the function that publishes changes of the table. */
export type PublisherEnvironment = Pick<RedriveEnvironment, 'SERVICE_NAME'> & {
  /** The name of the event bus. */
  EVENT_BUS_NAME: string;
  UNPUBLISHED_QUEUE_URL: string;
};

export interface RedriveConfig {
  serviceName: string;
  sdkAppId: string;
  tableName: string;
  parkingQueueUrl: string;
}

export interface ProbeConfig extends Pick<Config, 'serviceName' | 'sdkAppId' | 'tokenSecretArn'> {
  webhookUrl: string;
}

export interface PublisherConfig extends Pick<Config, 'serviceName'> {
  eventBusName: string;
  unpublishedQueueUrl: string;
}

export interface Config extends RedriveConfig {
  deadLetterQueueUrl: string;
  allowedCidrs: readonly string[];
  /** The Secrets Manager secret that holds the webhook token; undefined where authentication is off. */
  tokenSecretArn: string | undefined;
}

type Variables = Readonly<Record<string, string | undefined>>;

/**
 * Reads the receiver's configuration. An empty variable counts as missing.
 *
 * @throws one error that names every problem.
 */
export function readConfig(env: Variables): Config {
  const problems: string[] = [];
  const required = requiredFrom(env, problems);

  const config = redriveConfig(required);
  const deadLetterQueueUrl = required('DEAD_LETTER_QUEUE_URL');
  const allowedCidrs = env['ALLOWED_CIDRS'] ? env['ALLOWED_CIDRS'].split(',') : [];
  for (const cidr of addressList(allowedCidrs).malformed) {
    problems.push(`ALLOWED_CIDRS: '${cidr}' is neither an address nor a CIDR range`);
  }
  const tokenSecretArn = readAuthentication(env, required, problems);
  throwIfAny(problems);
  return { ...config, deadLetterQueueUrl, allowedCidrs, tokenSecretArn };
}

/** Reads the redrive's configuration, as {@link readConfig} does. */
export function readRedriveConfig(env: Variables): RedriveConfig {
  const problems: string[] = [];
  const config = redriveConfig(requiredFrom(env, problems));
  throwIfAny(problems);
  return config;
}

/** Reads the probe's configuration, as {@link readConfig} does. */
export function readProbeConfig(env: Variables): ProbeConfig {
  const problems: string[] = [];
  const required = requiredFrom(env, problems);
  const config = {
    serviceName: required('SERVICE_NAME'),
    sdkAppId: required('SDK_APP_ID'),
    webhookUrl: required('WEBHOOK_URL'),
    tokenSecretArn: readAuthentication(env, required, problems),
  };
  throwIfAny(problems);
  return config;
}

/** Reads the publisher's configuration, as {@link readConfig} does. */
export function readPublisherConfig(env: Variables): PublisherConfig {
  const problems: string[] = [];
  const required = requiredFrom(env, problems);
  const config = {
    serviceName: required('SERVICE_NAME'),
    eventBusName: required('EVENT_BUS_NAME'),
    unpublishedQueueUrl: required('UNPUBLISHED_QUEUE_URL'),
  };
  throwIfAny(problems);
  return config;
}

/** @returns the secret with the token; undefined where authentication is off. */
function readAuthentication(env: Variables, required: ReturnType<typeof requiredFrom>, problems: string[]) {
  if (env['AUTHENTICATION'] === 'token') return required('TOKEN_SECRET_ARN');
  // Never off by omission: a variable that got lost must not open the door.
  if (env['AUTHENTICATION'] !== 'off') problems.push(`AUTHENTICATION is neither 'token' nor 'off'`);
  return undefined;
}

function redriveConfig(required: ReturnType<typeof requiredFrom>): RedriveConfig {
  return {
    serviceName: required('SERVICE_NAME'),
    sdkAppId: required('SDK_APP_ID'),
    tableName: required('TABLE_NAME'),
    parkingQueueUrl: required('PARKING_QUEUE_URL'),
  };
}

function requiredFrom(env: Variables, problems: string[]) {
  return (name: KeysOfUnion<Environment | ProbeEnvironment | PublisherEnvironment>): string => {
    const value = env[name];
    if (!value) problems.push(`${name} is missing`);
    return value ?? '';
  };
}
type KeysOfUnion<Union> = Union extends unknown ? keyof Union : never;

function throwIfAny(problems: readonly string[]): void {
  if (problems.length === 0) return;
  throw new Error(`the function's environment is wrong; deploy the stack again:\n- ${problems.join('\n- ')}`);
}
