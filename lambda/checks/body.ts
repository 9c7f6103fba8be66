import { isUtf8 } from 'node:buffer';
import type { MiddlewareObj } from '@middy/core';
import httpJsonBodyParser from '@middy/http-json-body-parser';
import { bodyBytes, isVerifyRequest, type Delivery } from '../delivery.ts';
import { MAX_BODY_BYTES } from '../limits.ts';
import { RejectedError } from '../outcomes.ts';

/** Turns the body into the JSON value that it holds, or refuses it. Chat's documented request has no content type. */
export function parseBody(): MiddlewareObj<Delivery, unknown> {
  const parser = httpJsonBodyParser({ disableContentTypeCheck: true }) as MiddlewareObj<any, unknown>;
  return {
    before: (request) => {
      decode(request.event);
      try {
        parser.before?.(request);
      } catch (error) {
        throw isParserError(error) ? new RejectedError('badBody', { detail: UNREADABLE }) : error;
      }
    },
  };
}

/** The parser's own error carries the whole body, which must not reach the log. */
const UNREADABLE = 'not JSON, nested too deep, or with a __proto__ or constructor.prototype key';

/**
 * Makes the body text. API Gateway hands over anything without a JSON or text content type as base64.
 * Of text it has decoded what it got, whatever that was.
 */
function decode(event: Delivery): void {
  const bytes = bodyBytes(event);
  if (bytes.length > MAX_BODY_BYTES) throw new RejectedError('badBody', { detail: `${bytes.length} bytes` });
  // Decoded all the same, replacement characters in a name would be stored for good.
  if (!isUtf8(bytes)) throw new RejectedError('badBody', { detail: 'not UTF-8' });
  event.body = isVerifyRequest(event) ? '{}' : bytes.toString().replace(/^\uFEFF/, ''); // JSON takes no byte order mark
  event.isBase64Encoded = false;
}

function isParserError(error: unknown): boolean {
  return ((error as Error).cause as { package?: string } | undefined)?.package === '@middy/http-json-body-parser';
}
