import type { MiddlewareObj } from '@middy/core';
import { isVerifyRequest, type Delivery } from './delivery.ts';
import { QUEUE_LIMITS, withTimeout } from './limits.ts';
import { isDeadLetterReason, RejectedError, type Outcome } from './outcomes.ts';
import type { DeliveryQueues } from './delivery-queues.ts';

/** Outcome of a delivery that was not rejected, for the log. */
export type DeliveryResult = { outcome: Outcome } | { outcome: 'parked'; error: unknown };

/**
 * The delivery is neither stored, nor parked, nor dead-lettered. `failures` has both errors. An AggregateError would
 * hide them from the log, because its `errors` are not enumerable.
 */
class NotKeptError extends Error {
  readonly failures: readonly unknown[];

  constructor(message: string, failures: readonly unknown[]) {
    super(message);
    this.name = 'NotKeptError';
    this.failures = failures;
  }
}

/**
 * Dispatches a delivery. If that fails and the delivery is not at fault, parks the delivery.
 *
 * @throws RejectedError if the delivery is at fault, and NotKeptError if parking also fails.
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
        throw new NotKeptError('the delivery could neither be stored nor parked', [error, parkingError]);
      }
      return { outcome: 'parked', error };
    }
  };
}

/**
 * Sends rejected deliveries to the dead-letter queue, but only with reasons that are found after the signature check.
 * Otherwise strangers could fill the queue. If the queue fails, the outcome is `failed` instead of `rejected`.
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
        const message = 'the delivery was rejected and could not be dead-lettered';
        request.error = new NotKeptError(message, [error, queueError]);
      }
    },
  };
}

/** Enforces the deadline of a call to a queue. It includes loading the module of the queues. */
function withDeadline(
  queues: () => Promise<DeliveryQueues>,
  send: (opened: DeliveryQueues) => Promise<void>,
): Promise<void> {
  const opened = queues();
  const destroyConnections = () => void opened.then(({ destroy }) => destroy()).catch(() => {});
  return withTimeout(QUEUE_LIMITS, opened.then(send), destroyConnections);
}
