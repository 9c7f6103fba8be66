import type { MiddlewareObj, Request } from '@middy/core';
import httpJsonBodyParser from '@middy/http-json-body-parser';
import type { Delivery } from './delivery.ts';
import { Refusal } from './reply.ts';

/** Chat's largest documented bodies are a few kB; a delivery must fit whole into a queue message. */
const MAX_BODY_BYTES = 64 * 1024;

// Drops a byte order mark, refuses what is not UTF-8: replacement characters in a name would be stored for good.
const utf8 = new TextDecoder('utf-8', { fatal: true });

/** Turns the body into the JSON value that it holds, or refuses it. Chat's documented request has no content type. */
export function jsonBody(): MiddlewareObj<Delivery, unknown>[] {
  const parser = httpJsonBodyParser({ disableContentTypeCheck: true }) as MiddlewareObj<unknown>;
  return [{ before: decodeBody }, parser as MiddlewareObj<Delivery, unknown>, { onError: refuseUnparsed }];
}

/**
 * Makes the body text. API Gateway hands over anything without a JSON or text content type as base64.
 */
export function decodeBody({ event }: Request<Delivery>): void {
  const body = typeof event.body === 'string' ? event.body : '';
  const bytes = Buffer.from(body, event.isBase64Encoded ? 'base64' : 'utf8');
  event.bytes = bytes.subarray(0, MAX_BODY_BYTES);
  if (bytes.length > MAX_BODY_BYTES) throw new Refusal('badBody', { detail: `${bytes.length} bytes` });
  // A body that is empty, in a delivery without a command, is the console's Verify probe.
  const isProbe = bytes.length === 0 && event.query.callbackCommand === undefined;
  try {
    event.body = isProbe ? '{}' : utf8.decode(bytes);
  } catch {
    throw new Refusal('badBody', { detail: 'not UTF-8' });
  }
  event.isBase64Encoded = false;
}

/** Turns the body parser's error into a refusal. It carries the whole body, which must not reach the log. */
function refuseUnparsed(request: Request<Delivery, unknown>): void {
  const cause = request.error?.cause as { package?: string } | undefined;
  if (cause?.package === '@middy/http-json-body-parser') {
    request.error = new Refusal('badBody', { detail: 'not JSON, nested too deep, or with a __proto__ key' });
  }
}
