import type { DynamoDBClientConfig } from '@aws-sdk/client-dynamodb';
import { withTimeout, type Limits } from './limits.ts';

/** A logger without `info`: the SDK copies every input and output for a logger that has it. */
const SILENT = { trace() {}, debug() {}, warn() {}, error() {} } as unknown as NonNullable<
  DynamoDBClientConfig['logger']
>;

/** A call within a limit of time. */
export interface CallWithDeadline {
  /** The options for the client. */
  options?: { abortSignal: AbortSignal };
  /** Tells whether the call was given up: nothing more is to be sent for it. */
  isExpired(): boolean;
}

/** Makes a call of a client, or several for one purpose, and gives up when the time for it is over. */
export type WithDeadline = <T>(call: (context: CallWithDeadline) => Promise<T>) => Promise<T>;

/** Limits the calls of a client that has one call at a time: giving up cuts all its connections. */
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
 * Limits the calls of a client that has several at a time: giving up cuts the call's own connection. It costs 7 % of a
 * delivery.
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
 * Makes the settings of every SDK client here. Region, credentials and endpoint are in the environment of a Lambda.
 *
 * The limits end with the head of an answer: one whose body stalls is given up by `withTimeout`. The SDK's
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
