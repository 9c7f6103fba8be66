import { addressList } from './allow-list.ts';

/**
 * The function's environment variables. The stack's literal satisfies this type,
 * so that stack and function can't drift apart.
 */
export type Environment = RedriveEnvironment & {
  DEAD_LETTER_QUEUE_URL: string;
  /** Addresses and CIDR ranges, separated by commas. Absent: every caller may call. */
  ALLOWED_CIDRS?: string;
} & ({ AUTHENTICATION: 'token'; TOKEN_SECRET_ARN: string } | { AUTHENTICATION: 'off' });

/** The same for the function that stores what was parked. */
export type RedriveEnvironment = {
  /** The service name in every log line and metric: it tells two stacks in one account apart. */
  SERVICE_NAME: string;
  SDK_APP_ID: string;
  TABLE_NAME: string;
  PARKING_QUEUE_URL: string;
};

export interface RedriveConfig {
  serviceName: string;
  sdkAppId: string;
  tableName: string;
  parkingQueueUrl: string;
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
  let tokenSecretArn: string | undefined;
  // Never off by omission: a variable that got lost must not open the door.
  if (env['AUTHENTICATION'] === 'token') tokenSecretArn = required('TOKEN_SECRET_ARN');
  else if (env['AUTHENTICATION'] !== 'off') problems.push(`AUTHENTICATION is neither 'token' nor 'off'`);

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

function redriveConfig(required: ReturnType<typeof requiredFrom>): RedriveConfig {
  return {
    serviceName: required('SERVICE_NAME'),
    sdkAppId: required('SDK_APP_ID'),
    tableName: required('TABLE_NAME'),
    parkingQueueUrl: required('PARKING_QUEUE_URL'),
  };
}

function requiredFrom(env: Variables, problems: string[]) {
  return (name: KeysOfUnion<Environment>): string => {
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
