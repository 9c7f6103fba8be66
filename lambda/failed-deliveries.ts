import type { MiddlewareObj } from '@middy/core';
import { isVerifyRequest, type Delivery } from './delivery.ts';
import { QUEUE_LIMITS, withTimeout } from './limits.ts';
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
  dispatch: (delivery: Delivery) => Promise<Outcome>,
  queues: () => Promise<DeliveryQueues>,
) {
  return async (delivery: Delivery): Promise<DeliveryResult> => {
    try {
      return { outcome: await dispatch(delivery) };
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
      const { error, event } = request;
      if (!(error instanceof RejectedError) || !isDeadLetterReason(error.reason) || isVerifyRequest(event)) return;
      const { reason, field } = error;
      try {
        await withDeadline(queues, ({ deadLetter }) => deadLetter(event, reason, field));
        error.isDeadLettered = true;
      } catch (queueError) {
        request.error = new DeliveryLostError('the delivery was refused and could not be kept', [error, queueError]);
      }
    },
  };
}

/** Keeps a delivery within the limits of queues, which include loading the queues' module. */
function withDeadline(
  queues: () => Promise<DeliveryQueues>,
  send: (opened: DeliveryQueues) => Promise<void>,
): Promise<void> {
  const opened = queues();
  const destroyConnections = () => void opened.then(({ destroy }) => destroy()).catch(() => {});
  return withTimeout(QUEUE_LIMITS, opened.then(send), destroyConnections);
}
