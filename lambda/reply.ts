import type { MiddlewareObj } from '@middy/core';
import type { APIGatewayProxyStructuredResultV2 } from 'aws-lambda';
import type { Delivery, ForwardResult } from './delivery.ts';
import { FORWARD_FAILURES, IgnoredError, REASONS, RejectedError, type Reason } from './outcomes.ts';

/**
 * Replies in Tencent's format, or with the backend's answer, after every outcome. It must be registered first: middy
 * runs `after` and `onError` from the last middleware to the first, so no other step can change the reply.
 *
 * @see https://www.tencentcloud.com/document/product/1047/60796 "Sample response"
 */
export function reply(): MiddlewareObj<Delivery, unknown> {
  return {
    after: async (request) => {
      request.response = replyOfBackend(await request.event.forwarded) ?? OK;
    },
    onError: async (request) => {
      const { error } = request;
      if (error instanceof IgnoredError) {
        request.response = replyOfBackend(await request.event.forwarded) ?? OK;
        return;
      }
      const { reason, field } =
        error instanceof RejectedError ? error : { reason: 'notKept' as const, field: undefined };
      request.response = failReply(REASONS[reason], field);
    },
  };
}

/** Returns the backend's answer as it came, or a FAIL if there is none. Undefined if the delivery is not forwarded. */
function replyOfBackend(forwarded: ForwardResult | undefined) {
  if (forwarded?.failure !== undefined) return failReply(FORWARD_FAILURES[forwarded.failure]);
  return forwarded?.answer;
}

function failReply({ status, errorCode, errorInfo }: Reason, field?: string) {
  return httpResponse(status, {
    ActionStatus: 'FAIL',
    ErrorInfo: field === undefined ? errorInfo : `${errorInfo}: ${field}`,
    ErrorCode: errorCode,
  });
}

const OK = httpResponse(200, { ActionStatus: 'OK', ErrorInfo: '', ErrorCode: 0 });

interface ReplyBody {
  ActionStatus: 'OK' | 'FAIL';
  ErrorInfo: string;
  ErrorCode: number;
}

function httpResponse(statusCode: number, body: ReplyBody): APIGatewayProxyStructuredResultV2 {
  return { statusCode, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
}
