import { hash, timingSafeEqual } from 'node:crypto';

/**
 * Signs a delivery the way Chat does: SHA-256 over the token followed by the request time.
 * The signature does not cover the body, so it proves the sender, not the content.
 *
 * @param requestTime Unix time in seconds, as in the URL.
 * @returns 64 lower-case hex digits.
 * @see https://www.tencentcloud.com/document/product/1047/34354 "Security Considerations"
 */
export function sign(token: string, requestTime: string): string {
  return hash('sha256', token + requestTime);
}

/**
 * Returns whether Sign belongs to this token and request time. Compares in constant time.
 *
 * @param signature hex digits in upper or lower case, as in the URL.
 * @param requestTime Unix time in seconds, as in the URL.
 */
export function verifySignature(token: string, signature: string, requestTime: string): boolean {
  const expected = Buffer.from(sign(token, requestTime));
  const actual = Buffer.from(signature.toLowerCase());
  return actual.length === expected.length && timingSafeEqual(actual, expected);
}

/**
 * Removes the Sign of a called URL from the response. If the URL is wrong, an unknown server answers, and its error
 * page may repeat the URL. Anyone who has the Sign can send deliveries for a minute.
 */
export function redactSign(text: string, { searchParams }: URL): string {
  const signature = searchParams.get('Sign');
  return signature ? text.replaceAll(signature, '…') : text;
}
