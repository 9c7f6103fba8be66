import type { DynamoDBClientConfig } from '@aws-sdk/client-dynamodb';
import { withTimeout, type Limits } from './limits.ts';

/** Logger without `info`, because the SDK copies every input and output for a logger with `info`. */
const SILENT = { trace() {}, debug() {}, warn() {}, error() {} } as unknown as NonNullable<
  DynamoDBClientConfig['logger']
>;

/** Context of a call with a deadline. */
export interface CallWithDeadline {
  /** Options for `send`. */
  options?: { abortSignal: AbortSignal };
  /** Returns whether the deadline is over. No further request may be sent then. */
  isExpired(): boolean;
}

/** Runs one or more requests with a common deadline. */
export type WithDeadline = <T>(call: (context: CallWithDeadline) => Promise<T>) => Promise<T>;

/** Enforces a deadline on a client that has one call at a time, by destroying its connections. */
export function destroyAtDeadline(client: { destroy(): void }, limits: Limits): WithDeadline {
  return (call) => {
    let isExpired = false;
    return withTimeout(limits, call({ isExpired: () => isExpired }), () => {
      isExpired = true;
      client.destroy();
    });
  };
}

/**
 * Enforces a deadline on a client that has several calls at a time, by aborting the call's own request. The abort
 * signal costs 7 % of a delivery's time.
 */
export function abortAtDeadline(limits: Limits): WithDeadline {
  return (call) => {
    const controller = new AbortController();
    const { signal } = controller;
    const context = { options: { abortSignal: signal }, isExpired: () => signal.aborted };
    return withTimeout(limits, call(context), () => controller.abort());
  };
}

/**
 * Returns the settings of all SDK clients. Region, credentials and endpoint come from Lambda's environment.
 *
 * The limits apply until the response headers arrive. If the body stalls, `withTimeout` ends the call. The SDK's
 * socketTimeout would end it earlier, but costs 2 % of a delivery's time.
 */
export function clientSettings({ attempts, attemptMs }: Limits) {
  return {
    maxAttempts: attempts,
    retryMode: 'standard', // the SDK's default, which it would otherwise look up in several places
    // Includes the connection, because a separate limit for it would add a timer to each delivery.
    requestHandler: { requestTimeout: attemptMs, throwOnRequestTimeout: true },
    // Builds the middleware of a command only once, which saves a tenth of a call's time.
    cacheMiddleware: true,
    logger: SILENT,
  };
}
