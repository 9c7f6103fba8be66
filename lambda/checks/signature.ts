import type { Request } from '@middy/core';
import { receivedTime, type Delivery } from '../delivery.ts';
import { RejectedError } from '../outcomes.ts';
import type { WebhookToken } from '../token.ts';

/** Chat's own limit against replay, either way: its clock and ours may differ. */
const MAX_AGE_SECONDS = 60;

/**
 * Lets only deliveries through that were signed with the token less than a minute from their receipt.
 *
 * A Sign seen before is no ground for refusal: two genuine deliveries in one second carry the same.
 *
 * @throws what reading the token throws: then nobody can say whether the delivery is genuine.
 */
export function checkSignature(token: WebhookToken) {
  return async ({ event }: Request<Delivery>): Promise<void> => {
    const { sign: signature, requestTime } = event.query;
    if (signature === undefined || requestTime === undefined || !(await token.verify(signature, requestTime))) {
      throw new RejectedError('badSignature');
    }
    // Other attributes that JavaScript takes for numbers ('0x…', '+1', '1.9') are none of Chat's.
    if (!/^\d+$/.test(requestTime)) throw new RejectedError('expired', { detail: 'RequestTime is not Unix seconds' });
    const ageSeconds = Math.floor(receivedTime(event) / 1000) - Number(requestTime);
    if (Math.abs(ageSeconds) > MAX_AGE_SECONDS) {
      throw new RejectedError('expired', { detail: `RequestTime is ${ageSeconds} s before the receipt` });
    }
  };
}
