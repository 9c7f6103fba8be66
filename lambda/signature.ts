import { hash, timingSafeEqual } from 'node:crypto';

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
 * Tells whether Sign is the one that this token gives. It compares in constant time.
 *
 * @param signature hex digits in either case, as they stand in the URL.
 * @param requestTime Unix time in seconds, as it stands in the URL.
 */
export function verifySignature(token: string, signature: string, requestTime: string): boolean {
  const expected = Buffer.from(sign(token, requestTime));
  const actual = Buffer.from(signature.toLowerCase());
  return actual.length === expected.length && timingSafeEqual(actual, expected);
}

/**
 * Takes the Sign of a delivery out of what answered it: that may be something else in the receiver's place, which repeats
 * the URL. Whoever has its Sign can post for a minute.
 */
export function redactSign(text: string, { searchParams }: URL): string {
  const signature = searchParams.get('Sign');
  return signature ? text.replaceAll(signature, '…') : text;
}
