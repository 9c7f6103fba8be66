import type { Request } from '@middy/core';
import { receivedTime, type Delivery } from '../delivery.ts';
import { RejectedError } from '../outcomes.ts';
import type { WebhookToken } from '../token.ts';

/** Chat's limit against replay attacks. It applies in both directions, because the clocks may differ. */
const MAX_AGE_SECONDS = 60;

/**
 * Rejects a delivery without a valid signature, or whose RequestTime is more than 60 seconds from the receipt.
 *
 * A repeated Sign is valid, because two authentic deliveries in the same second have the same Sign.
 *
 * @throws the error of reading the token, because the delivery then cannot be verified.
 */
export function checkSignature(token: WebhookToken) {
  return async ({ event }: Request<Delivery>): Promise<void> => {
    const { sign: signature, requestTime } = event.query;
    if (signature === undefined || requestTime === undefined || !(await token.verify(signature, requestTime))) {
      throw new RejectedError('badSignature');
    }
    // Number() also accepts '0x…', '+1' and '1.9', which Chat never sends.
    if (!/^\d+$/.test(requestTime)) throw new RejectedError('expired', { detail: 'RequestTime is not Unix seconds' });
    const ageSeconds = Math.floor(receivedTime(event) / 1000) - Number(requestTime);
    if (Math.abs(ageSeconds) > MAX_AGE_SECONDS) {
      const side = ageSeconds > 0 ? 'before' : 'after';
      throw new RejectedError('expired', { detail: `RequestTime is ${Math.abs(ageSeconds)} s ${side} the receipt` });
    }
  };
}
