import type { MiddlewareObj } from '@middy/core';
import type { APIGatewayProxyStructuredResultV2 } from 'aws-lambda';
import type { Delivery } from './delivery.ts';
import { IgnoredError, REASONS, RejectedError } from './outcomes.ts';

/**
 * Replies in Tencent's format, after every outcome. It is the last step, so that no other step can change the reply.
 *
 * @see https://www.tencentcloud.com/document/product/1047/60796 "Sample response"
 */
export function reply(): MiddlewareObj<Delivery, unknown> {
  return {
    after: (request) => {
      request.response = OK;
    },
    onError: (request) => {
      const { error } = request;
      if (error instanceof IgnoredError) {
        request.response = OK;
        return;
      }
      const { reason, field } =
        error instanceof RejectedError ? error : { reason: 'notKept' as const, field: undefined };
      const { status, errorCode, errorInfo } = REASONS[reason];
      request.response = httpResponse(status, {
        ActionStatus: 'FAIL',
        ErrorInfo: field === undefined ? errorInfo : `${errorInfo}: ${field}`,
        ErrorCode: errorCode,
      });
    },
  };
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
