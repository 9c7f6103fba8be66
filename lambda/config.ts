import * as v from 'valibot';
import { parseAllowList } from './allow-list.ts';

const isMissing = ({ path }: v.BaseIssue<unknown>) => `${path?.[0]?.key} is missing`;

/**
 * Adds the variables of authentication to others.
 *
 * Fail closed: a missing variable must not disable authentication. Only the value 'off' disables it.
 */
function withAuthentication<Entries extends v.ObjectEntries>(entries: Entries) {
  const off = v.object({ ...entries, AUTHENTICATION: v.literal('off') }, isMissing);
  const token = v.object(
    {
      ...entries,
      AUTHENTICATION: v.literal('token', `AUTHENTICATION is neither 'token' nor 'off'`),
      TOKEN_SECRET_ARN: v.string(),
    },
    isMissing,
  );
  return v.lazy((env) => ((env as { AUTHENTICATION?: unknown }).AUTHENTICATION === 'off' ? off : token));
}

/** Addresses and CIDR ranges, separated by commas. */
const cidrs = () =>
  v.pipe(
    v.string(),
    v.transform((text) => text.split(',')),
    v.check(
      (list) => parseAllowList(list).malformed.length === 0,
      ({ input }) =>
        `ALLOWED_CIDRS: neither an address nor a CIDR range: ${parseAllowList(input).malformed.join(', ')}`,
    ),
  );

const storeVariables = () => ({
  /** Service name in every log line and metric. It distinguishes the stacks of one account. */
  SERVICE_NAME: v.string(),
  SDK_APP_ID: v.string(),
  TABLE_NAME: v.string(),
  PARKING_QUEUE_URL: v.string(),
});

/** Environment variables of the receiver. */
export const receiverVariables = () =>
  v.pipe(
    withAuthentication({
      ...storeVariables(),
      DEAD_LETTER_QUEUE_URL: v.string(),
      ALLOWED_CIDRS: v.exactOptional(cidrs()),
      /** URL of the app's own backend, which gets the commands that are not handled here. */
      FORWARD_URL: v.exactOptional(v.pipe(v.string(), v.url(`FORWARD_URL is not a URL`))),
    }),
    v.transform((env) => ({
      ...storeConfig(env),
      deadLetterQueueUrl: env.DEAD_LETTER_QUEUE_URL,
      /** Empty: every caller is allowed. */
      allowedCidrs: env.ALLOWED_CIDRS ?? [],
      forwardUrl: env.FORWARD_URL,
      tokenSecretArn: tokenSecretArn(env),
    })),
  );
export type Environment = v.InferInput<ReturnType<typeof receiverVariables>>;
export type Config = v.InferOutput<ReturnType<typeof receiverVariables>>;

/** Environment variables of the function that stores parked deliveries. */
export const redriveVariables = () => v.pipe(v.object(storeVariables(), isMissing), v.transform(storeConfig));
export type RedriveEnvironment = v.InferInput<ReturnType<typeof redriveVariables>>;

/** Environment variables of the function that calls the receiver like Chat does. */
export const probeVariables = () =>
  v.pipe(
    withAuthentication({ SERVICE_NAME: v.string(), SDK_APP_ID: v.string(), WEBHOOK_URL: v.string() }),
    v.transform((env) => ({
      serviceName: env.SERVICE_NAME,
      sdkAppId: env.SDK_APP_ID,
      webhookUrl: env.WEBHOOK_URL,
      tokenSecretArn: tokenSecretArn(env),
    })),
  );
export type ProbeEnvironment = v.InferInput<ReturnType<typeof probeVariables>>;

/** Environment variables of the function that publishes the changes of the table. */
export const publisherVariables = () =>
  v.pipe(
    v.object({ SERVICE_NAME: v.string(), EVENT_BUS_NAME: v.string(), UNPUBLISHED_QUEUE_URL: v.string() }, isMissing),
    v.transform((env) => ({
      serviceName: env.SERVICE_NAME,
      eventBusName: env.EVENT_BUS_NAME,
      unpublishedQueueUrl: env.UNPUBLISHED_QUEUE_URL,
    })),
  );
export type PublisherEnvironment = v.InferInput<ReturnType<typeof publisherVariables>>;

/**
 * Reads a function's configuration from its environment. An empty variable counts as missing.
 *
 * @throws one error with all problems.
 */
export function readConfig<Output>(
  variables: v.GenericSchema<unknown, Output>,
  env: Readonly<Record<string, string | undefined>>,
): Output {
  const result = v.safeParse(variables, Object.fromEntries(Object.entries(env).filter(([, value]) => value)));
  if (result.success) return result.output;
  const problems = result.issues.map(({ message }) => `- ${message}`).join('\n');
  throw new Error(`the function's environment is wrong; deploy the stack again:\n${problems}`);
}

function storeConfig(env: v.InferOutput<v.ObjectSchema<ReturnType<typeof storeVariables>, undefined>>) {
  return {
    serviceName: env.SERVICE_NAME,
    sdkAppId: env.SDK_APP_ID,
    tableName: env.TABLE_NAME,
    parkingQueueUrl: env.PARKING_QUEUE_URL,
  };
}

/** Returns the ARN of the secret with the webhook token, or undefined if authentication is off. */
function tokenSecretArn(env: { AUTHENTICATION: 'off' } | { AUTHENTICATION: 'token'; TOKEN_SECRET_ARN: string }) {
  return env.AUTHENTICATION === 'token' ? env.TOKEN_SECRET_ARN : undefined;
}
