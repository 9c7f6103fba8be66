import type { MiddlewareObj } from '@middy/core';
import { isVerifyProbe, type Delivery } from './delivery.ts';
import { PARK_LIMITS, withinTotal } from './limits.ts';
import { isKeptReason, Refusal, type Outcome } from './outcomes.ts';
import type { Parking } from './parking.ts';

/** The outcome of a delivery that was not refused, for the log. */
export type Kept = { outcome: Outcome } | { outcome: 'parked'; error: unknown };

/** Holds both failures. The logger leaves out those of an AggregateError, which can't be enumerated. */
class NotKept extends Error {
  readonly failures: readonly unknown[];

  constructor(message: string, failures: readonly unknown[]) {
    super(message);
    this.name = 'NotKept';
    this.failures = failures;
  }
}

/**
 * Receives a delivery; where that fails for another reason than the delivery itself, parks it.
 *
 * @throws NotKept, with both failures, where it could not be parked either.
 */
export function parkOnFailure(receive: (delivery: Delivery) => Promise<Outcome>, parking: () => Promise<Parking>) {
  return async (delivery: Delivery): Promise<Kept> => {
    try {
      return { outcome: await receive(delivery) };
    } catch (error) {
      if (error instanceof Refusal) throw error;
      try {
        await inTime(parking, ({ park }) => park(delivery));
      } catch (parkingError) {
        throw new NotKept('the delivery could neither be stored nor parked', [error, parkingError]);
      }
      return { outcome: 'parked', error };
    }
  };
}

/**
 * Keeps refused deliveries for people to look at. Only behind the signature check: strangers must not fill the queue.
 * One that can't be kept is no longer refused, but lost, and answered so.
 */
export function keepRefused(parking: () => Promise<Parking>): MiddlewareObj<Delivery, unknown> {
  return {
    onError: async (request) => {
      const { error: refusal, event } = request;
      if (!(refusal instanceof Refusal) || !isKeptReason(refusal.reason) || isVerifyProbe(event)) return;
      const { reason, field } = refusal;
      try {
        await inTime(parking, ({ deadLetter }) => deadLetter(event, reason, field));
        refusal.isKept = true;
      } catch (error) {
        request.error = new NotKept('the delivery was refused and could not be kept', [refusal, error]);
      }
    },
  };
}

/** Keeps a delivery within the limits of parking, which include loading the queues' module. */
function inTime(parking: () => Promise<Parking>, keep: (opened: Parking) => Promise<void>): Promise<void> {
  const opened = parking();
  const cutConnections = () => void opened.then(({ destroy }) => destroy()).catch(() => {});
  return withinTotal(PARK_LIMITS, opened.then(keep), cutConnections);
}
