import { addressList } from './app.ts';

/**
 * The function's environment variables. The stack's literal satisfies this type,
 * so that stack and function can't drift apart.
 */
export type Environment = {
  SDK_APP_ID: string;
  TABLE_NAME: string;
} & Partial<{
  /** Addresses and CIDR ranges, separated by commas. Absent: every caller may call. */
  ALLOWED_CIDRS: string;
}> &
  ({ AUTHENTICATION: 'token'; TOKEN_SECRET_ARN: string } | { AUTHENTICATION: 'off' });

export interface Config {
  sdkAppId: string;
  tableName: string;
  allowedCidrs: readonly string[];
  /** The Secrets Manager secret that holds the webhook token; undefined where authentication is off. */
  tokenSecretArn: string | undefined;
}

/**
 * Reads the function's configuration. An empty variable counts as missing.
 *
 * @throws one error that names every problem.
 */
export function readConfig(env: Readonly<Record<string, string | undefined>>): Config {
  const problems: string[] = [];
  const required = (name: 'SDK_APP_ID' | 'TABLE_NAME' | 'TOKEN_SECRET_ARN'): string => {
    const value = env[name];
    if (!value) problems.push(`${name} is missing`);
    return value ?? '';
  };

  const sdkAppId = required('SDK_APP_ID');
  const tableName = required('TABLE_NAME');
  const allowedCidrs = env['ALLOWED_CIDRS'] ? env['ALLOWED_CIDRS'].split(',') : [];
  for (const cidr of addressList(allowedCidrs).malformed) {
    problems.push(`ALLOWED_CIDRS: '${cidr}' is neither an address nor a CIDR range`);
  }
  let tokenSecretArn: string | undefined;
  // Never off by omission: a variable that got lost must not open the door.
  if (env['AUTHENTICATION'] === 'token') tokenSecretArn = required('TOKEN_SECRET_ARN');
  else if (env['AUTHENTICATION'] !== 'off') problems.push(`AUTHENTICATION is neither 'token' nor 'off'`);

  if (problems.length > 0) {
    throw new Error(`the function's environment is wrong; deploy the stack again:\n- ${problems.join('\n- ')}`);
  }
  return { sdkAppId, tableName, allowedCidrs, tokenSecretArn };
}
