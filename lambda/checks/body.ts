import { isUtf8 } from 'node:buffer';
import type { MiddlewareObj } from '@middy/core';
import httpJsonBodyParser from '@middy/http-json-body-parser';
import { bodyBytes, isVerifyRequest, type Delivery } from '../delivery.ts';
import { MAX_BODY_BYTES } from '../limits.ts';
import { RejectedError } from '../outcomes.ts';

/**
 * Parses the body as JSON, and rejects an invalid body. It ignores the content type, because Chat's documented request
 * has none.
 */
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

/** Fixed detail, because the parser's own error contains the whole body, which must not reach the log. */
const UNREADABLE = 'not JSON, nested too deep, or with a __proto__ or constructor.prototype key';

/**
 * Decodes the body to text. If the content type is JSON or text, API Gateway has decoded the body already, and has
 * replaced bytes that are not UTF-8. It passes any other body as base64.
 */
function decode(event: Delivery): void {
  const bytes = bodyBytes(event);
  if (bytes.length > MAX_BODY_BYTES) throw new RejectedError('badBody', { detail: `${bytes.length} bytes` });
  // Otherwise toString() puts replacement characters into stored names.
  if (!isUtf8(bytes)) throw new RejectedError('badBody', { detail: 'not UTF-8' });
  event.body = isVerifyRequest(event) ? '{}' : bytes.toString().replace(/^\uFEFF/, ''); // JSON has no byte order mark
  event.isBase64Encoded = false;
}

function isParserError(error: unknown): boolean {
  return ((error as Error).cause as { package?: string } | undefined)?.package === '@middy/http-json-body-parser';
}
