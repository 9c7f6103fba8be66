import { hash, timingSafeEqual } from 'node:crypto';
import type { Request } from '@middy/core';
import { receivedTime, type Delivery } from './delivery.ts';
import { Refusal } from './reply.ts';
import type { WebhookToken } from './token.ts';

/** Chat's own limit against replay, either way: its clock and ours may differ. */
const MAX_AGE_SECONDS = 60;

/**
 * Signs a delivery the way Chat does: SHA-256 over the token followed by the request time.
 * The body is not covered, so a right signature proves the sender, not the content.
 *
 * @param requestTime Unix time in seconds, as it stands in the URL.
 * @returns 64 lower-case hex digits.
 * @see https://www.tencentcloud.com/document/product/1047/34354 "Security Considerations"
 */
export function sign(token: string, requestTime: string): string {
  return hash('sha256', token + requestTime);
}

/**
 * Whether Sign is the one that this token gives, compared in constant time.
 *
 * @param signature hex digits in either case, as they stand in the URL.
 * @param requestTime Unix time in seconds, as it stands in the URL.
 */
export function isSignedBy(token: string, signature: string, requestTime: string): boolean {
  const expected = Buffer.from(sign(token, requestTime));
  const actual = Buffer.from(signature.toLowerCase());
  return actual.length === expected.length && timingSafeEqual(actual, expected);
}

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
    if (signature === undefined || requestTime === undefined || !(await token.hasSigned(signature, requestTime))) {
      throw new Refusal('badSignature');
    }
    const ageSeconds = Math.floor(receivedTime(event) / 1000) - Number(requestTime);
    // Negated, so that a RequestTime that is no number (NaN) is refused too.
    if (!(Math.abs(ageSeconds) <= MAX_AGE_SECONDS)) {
      throw new Refusal('expired', { detail: `RequestTime is ${ageSeconds} s before the receipt` });
    }
  };
}
