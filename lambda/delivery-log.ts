import type { Logger } from '@aws-lambda-powertools/logger';
import type { Metrics } from '@aws-lambda-powertools/metrics';
import type { MiddlewareObj } from '@middy/core';
import { callbackCommand, field, isVerifyRequest, type Delivery } from './delivery.ts';
import type { DeliveryResult } from './failed-deliveries.ts';
import { countDelivery } from './metrics.ts';
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

  function logResult(delivery: Delivery, result: Result): void {
    const { eventAgeMs, storeMs } = delivery;
    const { outcome, reason, error } = result;
    const level = outcome === 'failed' ? 'error' : reason !== undefined || error !== undefined ? 'warn' : 'info';
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
      });
    });
    // It shows nothing of Chat's deliveries, and there is nothing that its refusal could lose.
    if (isVerifyRequest(delivery) && (reason === undefined || reason === 'wrongAddress')) return;
    // Of what did not get as far as the store, neither the age nor the time to store is known.
    tryToWrite(() => countDelivery(metrics, { outcome, reason, ...(reason === undefined && { eventAgeMs, storeMs }) }));
  }

  return {
    before: ({ event }) => {
      startTimes.set(event, performance.now());
    },
    after: ({ event, response }) => logResult(event, response as DeliveryResult),
    onError: ({ event, error }) =>
      logResult(
        event,
        error instanceof IgnoredError ? { ...resultOf(error.cause), outcome: 'ignored' } : resultOf(error),
      ),
  };
}

function resultOf(error: unknown): Result {
  if (!(error instanceof RejectedError)) return { outcome: 'failed', reason: 'notKept', error };
  const { reason, field: wireName, detail, isDeadLettered } = error;
  return { outcome: 'refused', reason, field: wireName, detail, isDeadLettered };
}

/** Writes a line. An error there must not keep the delivery from being answered. */
function tryToWrite(write: () => void): void {
  try {
    write();
  } catch (error) {
    process.stderr.write(
      `${JSON.stringify({ level: 'ERROR', message: 'a log line is lost', error: String(error) })}\n`,
    );
  }
}

/** A group of commands, `C2C` for instance, and one of its commands. A Sign, of 64 digits, fits in neither. */
const COMMAND = /^[A-Za-z\d]{1,31}\.[A-Za-z]{1,96}$/;

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
