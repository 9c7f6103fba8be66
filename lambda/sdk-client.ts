import type { DynamoDBClientConfig } from '@aws-sdk/client-dynamodb';
import type { Limits } from './limits.ts';

/** Without `info`: for a logger that has it, the SDK copies every input and output, even for the one that drops them. */
const SILENT = { trace() {}, debug() {}, warn() {}, error() {} } as unknown as NonNullable<
  DynamoDBClientConfig['logger']
>;

/**
 * How every SDK client here is set up. Region, credentials and endpoint are in the environment of a Lambda.
 *
 * The limits end with the head of an answer: one whose body stalls is given up by `withinTotal`. The SDK's
 * socketTimeout, which would see it sooner, costs every delivery 2 %.
 */
export function clientSettings({ attempts, attemptMs }: Limits) {
  return {
    maxAttempts: attempts,
    retryMode: 'standard', // the SDK's default, which it would look up in several places
    // From the beginning, its connection included: a limit for that alone would be one timer more for each delivery.
    requestHandler: { requestTimeout: attemptMs, throwOnRequestTimeout: true },
    // The middleware of a command is put together once, not for each delivery: a tenth of what a call costs.
    cacheMiddleware: true,
    logger: SILENT,
  };
}
