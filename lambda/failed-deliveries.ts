import type { MiddlewareObj } from '@middy/core';
import { isVerifyProbe, type Delivery } from './delivery.ts';
import { PARK_LIMITS, withTimeout } from './limits.ts';
import { isDeadLetterReason, RejectedError, type Outcome } from './outcomes.ts';
import type { DeliveryQueues } from './delivery-queues.ts';

/** The outcome of a delivery that was not refused, for the log. */
export type DeliveryResult = { outcome: Outcome } | { outcome: 'parked'; error: unknown };

/** Holds both failures. The logger leaves out those of an AggregateError, which can't be enumerated. */
class DeliveryLostError extends Error {
  readonly failures: readonly unknown[];

  constructor(message: string, failures: readonly unknown[]) {
    super(message);
    this.name = 'DeliveryLostError';
    this.failures = failures;
  }
}

/**
 * Receives a delivery; where that fails for another reason than the delivery itself, parks it.
 *
 * @throws DeliveryLostError, with both failures, where it could not be parked either.
 */
export function parkOnFailure(
  receive: (delivery: Delivery) => Promise<Outcome>,
  queues: () => Promise<DeliveryQueues>,
) {
  return async (delivery: Delivery): Promise<DeliveryResult> => {
    try {
      return { outcome: await receive(delivery) };
    } catch (error) {
      if (error instanceof RejectedError) throw error;
      try {
        await withDeadline(queues, ({ park }) => park(delivery));
      } catch (parkingError) {
        throw new DeliveryLostError('the delivery could neither be stored nor parked', [error, parkingError]);
      }
      return { outcome: 'parked', error };
    }
  };
}

/**
 * Keeps refused deliveries for people to look at. Only behind the signature check: strangers must not fill the queue.
 * One that can't be kept is no longer refused, but lost, and answered so.
 */
export function deadLetterRejected(queues: () => Promise<DeliveryQueues>): MiddlewareObj<Delivery, unknown> {
  return {
    onError: async (request) => {
      const { error: refusal, event } = request;
      if (!(refusal instanceof RejectedError) || !isDeadLetterReason(refusal.reason) || isVerifyProbe(event)) return;
      const { reason, field } = refusal;
      try {
        await withDeadline(queues, ({ deadLetter }) => deadLetter(event, reason, field));
        refusal.isDeadLettered = true;
      } catch (error) {
        request.error = new DeliveryLostError('the delivery was refused and could not be kept', [refusal, error]);
      }
    },
  };
}

/** Keeps a delivery within the limits of queues, which include loading the queues' module. */
function withDeadline(
  queues: () => Promise<DeliveryQueues>,
  keep: (opened: DeliveryQueues) => Promise<void>,
): Promise<void> {
  const opened = queues();
  const cutConnections = () => void opened.then(({ destroy }) => destroy()).catch(() => {});
  return withTimeout(PARK_LIMITS, opened.then(keep), cutConnections);
}
