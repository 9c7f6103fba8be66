import { isUtf8 } from 'node:buffer';
import type { MiddlewareObj } from '@middy/core';
import httpJsonBodyParser from '@middy/http-json-body-parser';
import type { Commands } from './commands.ts';
import type { Delivery } from './delivery.ts';
import { Refusal } from './reply.ts';

/** Chat's largest documented bodies are a few kB; a delivery must fit whole into a queue message. */
const MAX_BODY_BYTES = 64 * 1024;

/**
 * Turns the body into the JSON value that it holds, or refuses it. Chat's documented request has no content type.
 *
 * A body that can't be read is no ground to refuse a command that isn't ours: a FAIL to a "before" command
 * blocks the user's action.
 */
export function jsonBody(commands: Commands): MiddlewareObj<Delivery, unknown> {
  const parser = httpJsonBodyParser({ disableContentTypeCheck: true }) as MiddlewareObj<any, unknown>;
  return {
    before: (request) => {
      const { event } = request;
      const command = event.query.callbackCommand;
      try {
        decode(event);
        parser.before?.(request);
      } catch (error) {
        if (!(error instanceof Refusal) && !isParserError(error)) throw error;
        if (command === undefined || commands.has(command)) throw asRefusal(error);
        event.body = undefined;
      }
    },
  };
}

/**
 * Makes the body text. API Gateway hands over anything without a JSON or text content type as base64.
 * Of text it has decoded what it got, whatever that was.
 */
function decode(event: Delivery): void {
  const body = typeof event.body === 'string' ? event.body : '';
  const bytes = Buffer.from(body, event.isBase64Encoded ? 'base64' : 'utf8');
  event.bytes = bytes.subarray(0, MAX_BODY_BYTES);
  if (bytes.length > MAX_BODY_BYTES) throw new Refusal('badBody', { detail: `${bytes.length} bytes` });
  // Decoded all the same, replacement characters in a name would be stored for good.
  if (!isUtf8(bytes)) throw new Refusal('badBody', { detail: 'not UTF-8' });
  const text = bytes.toString().replace(/^\uFEFF/, ''); // JSON takes no byte order mark
  // A delivery without a command in its URL and without a body is the console's Verify probe.
  event.body = text.trim() === '' && event.query.callbackCommand === undefined ? '{}' : text;
  event.isBase64Encoded = false;
}

function isParserError(error: unknown): boolean {
  return ((error as Error).cause as { package?: string } | undefined)?.package === '@middy/http-json-body-parser';
}

/** The parser's own error carries the whole body, which must not reach the log. */
function asRefusal(error: unknown): Refusal {
  const detail = 'not JSON, nested too deep, or with a __proto__ or constructor.prototype key';
  return error instanceof Refusal ? error : new Refusal('badBody', { detail });
}
