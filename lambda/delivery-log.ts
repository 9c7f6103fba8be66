import type { Logger } from '@aws-lambda-powertools/logger';
import type { Metrics } from '@aws-lambda-powertools/metrics';
import type { MiddlewareObj } from '@middy/core';
import { callbackCommand, field, isVerifyRequest, type Delivery, type ForwardResult } from './delivery.ts';
import type { DeliveryResult } from './failed-deliveries.ts';
import { countDelivery, countForward, type ForwardOutcome } from './metrics.ts';
import { IgnoredError, RejectedError, type Outcome, type ReasonName } from './outcomes.ts';

/** Maximum length of body values in the log, because the signature does not cover the body. */
const MAX_LOGGED_CHARACTERS = 128;

/** Outcome of a delivery, with its reason. */
interface Result {
  outcome: Outcome;
  reason?: ReasonName;
  field?: string | undefined;
  detail?: string | undefined;
  isDeadLettered?: boolean;
  error?: unknown;
}

/**
 * Logs one line for each delivery with its outcome, and counts it with a second line in CloudWatch's embedded metric
 * format. For a forwarded delivery that passes the checks, a third line counts the time of forwarding. The lines never
 * contain the token, the whole body, or the query string, because it has Sign.
 *
 * If a line cannot be written, the reply stays the same.
 */
export function deliveryLog(logger: Logger, metrics: Metrics): MiddlewareObj<Delivery, unknown> {
  const startTimes = new WeakMap<Delivery, number>();

  function logResult(delivery: Delivery, checked: Result, forwarded: ForwardResult | undefined): void {
    const { eventAgeMs, storeMs } = delivery;
    const result: Result = forwarded === undefined ? checked : { ...checked, outcome: 'forwarded' };
    const { outcome, reason, error } = result;
    const isWarning = reason !== undefined || error !== undefined || forwarded?.failure !== undefined;
    const level = outcome === 'failed' ? 'error' : isWarning ? 'warn' : 'info';
    tryToWrite(() => {
      logger[level]('delivery', {
        requestId: delivery.requestContext.requestId,
        command: commandText(callbackCommand(delivery)),
        officialAccountId: cut(field(delivery.body, 'Official_Account')),
        name: cut(field(delivery.body, 'Name')),
        ownerAccount: cut(field(delivery.body, 'Owner_Account')),
        eventAgeMs,
        storeMs,
        ms: Math.round(performance.now() - (startTimes.get(delivery) ?? Number.NaN)),
        ...result,
        ...(forwarded !== undefined && {
          backendStatus: forwarded.answer?.statusCode,
          forwardFailure: forwarded.failure,
          backendError: forwarded.errorCode,
          forwardMs: forwarded.ms,
        }),
      });
    });
    // A Verify request is not counted if it is accepted, or rejected only for its address: it does not prove that Chat
    // sends deliveries, and loses no data. Any other reason counts, because the app's deliveries would fail as well.
    if (isVerifyRequest(delivery) && (reason === undefined || reason === 'wrongAddress')) return;
    // The metrics have the times of accepted deliveries only.
    tryToWrite(() => countDelivery(metrics, { outcome, reason, ...(reason === undefined && { eventAgeMs, storeMs }) }));
    // A delivery with a reason may come from a stranger. The backend may rightly reject it: its answer is not counted.
    if (forwarded === undefined || reason !== undefined) return;
    tryToWrite(() => countForward(metrics, forwardOutcome(forwarded), forwarded.ms));
  }

  return {
    before: ({ event }) => {
      startTimes.set(event, performance.now());
    },
    // The response is still the result of the handler, because middy runs this before the `after` of the reply.
    after: async ({ event, response }) => logResult(event, response as DeliveryResult, await event.forwarded),
    onError: async ({ event, error }) => {
      const isIgnored = error instanceof IgnoredError;
      const result: Result = isIgnored ? { ...resultOf(error.cause), outcome: 'ignored' } : resultOf(error);
      logResult(event, result, await event.forwarded);
    },
  };
}

function forwardOutcome({ failure, answer }: ForwardResult): ForwardOutcome {
  return failure ?? (answer?.statusCode === 200 ? 'ok' : 'notOk');
}

function resultOf(error: unknown): Result {
  if (!(error instanceof RejectedError)) return { outcome: 'failed', reason: 'notKept', error };
  const { reason, field: wireName, detail, isDeadLettered } = error;
  return { outcome: 'rejected', reason, field: wireName, detail, isDeadLettered };
}

/** Writes a line. An error goes to standard error, because it must not prevent the reply. */
function tryToWrite(write: () => void): void {
  try {
    write();
  } catch (error) {
    process.stderr.write(
      `${JSON.stringify({ level: 'ERROR', message: 'a log line is lost', error: String(error) })}\n`,
    );
  }
}

/** A command, for example `C2C.CallbackAfterSendMsg`. No part is long enough for a Sign, which has 64 hex digits. */
const COMMAND = /^[A-Za-z\d]{1,31}\.[A-Za-z\d]{1,63}$/;

/**
 * Returns a well-formed command, or a description of any other value, because that value could contain a Sign. For
 * example, it does if the URL has `;` instead of `&` before Sign.
 */
function commandText(command: unknown): string | undefined {
  if (typeof command !== 'string') return undefined;
  return COMMAND.test(command) ? command : `${command.length} characters that are no command`;
}

function cut(value: unknown): string | undefined {
  return typeof value === 'string' ? value.slice(0, MAX_LOGGED_CHARACTERS) : undefined;
}
