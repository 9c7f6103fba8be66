import type { MiddlewareObj } from '@middy/core';
import type { Outcome } from './commands.ts';
import type { Delivery } from './delivery.ts';
import { PARK_LIMITS, withinTotal } from './limits.ts';
import type { Parking, QuarantineReason } from './parking.ts';
import { Refusal } from './reply.ts';

/** What became of a delivery that was not refused: for the log. */
export type Kept = { outcome: Outcome } | { outcome: 'parked'; error: unknown };

/** Nothing worked. Not an AggregateError: the logger leaves its errors out, since they can't be enumerated. */
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
export function parkedOnFailure(receive: (delivery: Delivery) => Promise<Outcome>, parking: () => Promise<Parking>) {
  return async (delivery: Delivery): Promise<Kept> => {
    try {
      return { outcome: await receive(delivery) };
    } catch (error) {
      if (error instanceof Refusal) throw error;
      try {
        await withinTotal(
          PARK_LIMITS,
          parking().then(({ park }) => park(delivery)),
        );
      } catch (parkingError) {
        throw new NotKept('the delivery could neither be stored nor parked', [error, parkingError]);
      }
      return { outcome: 'parked', error };
    }
  };
}

/** A FAIL is ignored by Chat: what a genuine delivery holds, though refused for these reasons, would be gone. */
const WORTH_KEEPING = ['badBody', 'commandsDisagree', 'badPayload'] satisfies QuarantineReason[];

/**
 * Keeps refused deliveries for people to look at. Only behind the signature check: strangers must not fill the queue.
 * One that can't be kept is no longer refused, but lost, and answered so.
 */
export function quarantine(parking: () => Promise<Parking>): MiddlewareObj<Delivery, unknown> {
  return {
    onError: async (request) => {
      const { error: refusal } = request;
      if (!(refusal instanceof Refusal)) return;
      const reason = WORTH_KEEPING.find((name) => name === refusal.reason);
      if (reason === undefined) return;
      try {
        const keep = parking().then((opened) => opened.quarantine(request.event, reason, refusal.field));
        await withinTotal(PARK_LIMITS, keep);
        refusal.isQuarantined = true;
      } catch (error) {
        request.error = new NotKept('the delivery was refused and could not be kept', [refusal, error]);
      }
    },
  };
}
