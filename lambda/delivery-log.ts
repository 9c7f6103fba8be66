import type { Logger } from '@aws-lambda-powertools/logger';
import type { Metrics } from '@aws-lambda-powertools/metrics';
import type { MiddlewareObj } from '@middy/core';
import { callbackCommand, field, isVerifyProbe, type Delivery, type ForwardResult } from './delivery.ts';
import type { DeliveryResult } from './failed-deliveries.ts';
import { countDelivery, countForward, type ForwardOutcome } from './metrics.ts';
import { IgnoredError, RejectedError, type Outcome, type ReasonName } from './outcomes.ts';

/** A limit for values that strangers choose before a signature is checked. */
const MAX_LOGGED_CHARACTERS = 128;

/** The outcome of a delivery, and the reason for it. */
interface Result {
  outcome: Outcome;
  reason?: ReasonName;
  field?: string | undefined;
  detail?: string | undefined;
  isDeadLettered?: boolean;
  error?: unknown;
}

/**
 * One line a delivery: which, and what became of it; and one in CloudWatch's embedded metric format, which counts it.
 * Never the query string (it carries Sign), the token or the whole body.
 *
 * Where a line can't be written, the delivery is answered all the same.
 */
export function deliveryLog(logger: Logger, metrics: Metrics): MiddlewareObj<Delivery, unknown> {
  const startTimes = new WeakMap<Delivery, number>();

  function tell(delivery: Delivery, checked: Result, forwarded: ForwardResult | undefined): void {
    const { eventAgeMs, storeMs } = delivery;
    const result: Result = forwarded === undefined ? checked : { ...checked, outcome: 'forwarded' };
    const { outcome, reason, error } = result;
    const isWarning = reason !== undefined || error !== undefined || forwarded?.failure !== undefined;
    const level = outcome === 'failed' ? 'error' : isWarning ? 'warn' : 'info';
    attempt(() => {
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
    // It shows nothing of Chat's deliveries, and there is nothing that its refusal could lose.
    if (isVerifyProbe(delivery) && (reason === undefined || reason === 'wrongAddress')) return;
    // Of what did not get as far as the store, neither the age nor the time to store is known.
    attempt(() => countDelivery(metrics, { outcome, reason, ...(reason === undefined && { eventAgeMs, storeMs }) }));
    // A stranger's delivery shows nothing about the backend.
    if (forwarded === undefined || reason !== undefined) return;
    attempt(() => countForward(metrics, forwardOutcome(forwarded), forwarded.ms));
  }

  return {
    before: ({ event }) => {
      startTimes.set(event, performance.now());
    },
    after: async ({ event, response }) => tell(event, response as DeliveryResult, await event.forwarded),
    onError: async ({ event, error }) => {
      const result = error instanceof IgnoredError ? resultOf(error.cause) : resultOf(error);
      tell(event, error instanceof IgnoredError ? { ...result, outcome: 'ignored' } : result, await event.forwarded);
    },
  };
}

function forwardOutcome({ failure, answer }: ForwardResult): ForwardOutcome {
  return failure ?? (answer?.statusCode === 200 ? 'ok' : 'notOk');
}

function resultOf(error: unknown): Result {
  if (!(error instanceof RejectedError)) return { outcome: 'failed', reason: 'notKept', error };
  const { reason, field: refusedField, detail, isDeadLettered } = error;
  return { outcome: 'refused', reason, field: refusedField, detail, isDeadLettered };
}

/** Writes a line. An error there must not keep the delivery from being answered. */
function attempt(write: () => void): void {
  try {
    write();
  } catch (error) {
    process.stderr.write(
      `${JSON.stringify({ level: 'ERROR', message: 'a log line is lost', error: String(error) })}\n`,
    );
  }
}

/** Group and name of a command, for example `C2C.CallbackBeforeSendMsg`. A Sign has 64 characters and fits into neither. */
const COMMAND = /^[A-Za-z\d]{1,31}\.[A-Za-z\d]{1,63}$/;

/**
 * Gives a command as far as it looks like one. What else a caller puts there could hold a Sign, as it does where a `;`
 * stands for the `&` before it.
 */
function commandText(command: unknown): string | undefined {
  if (typeof command !== 'string') return undefined;
  return COMMAND.test(command) ? command : `${command.length} characters that are no command`;
}

function cut(value: unknown): string | undefined {
  return typeof value === 'string' ? value.slice(0, MAX_LOGGED_CHARACTERS) : undefined;
}
