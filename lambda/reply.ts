import type { MiddlewareObj } from '@middy/core';
import type { APIGatewayProxyStructuredResultV2 } from 'aws-lambda';
import type { Delivery } from './delivery.ts';

interface Reason {
  /** HTTP status: 200 says that the delivery was dealt with, 503 that it could not be kept. */
  status: 200 | 503;
  /** From 120001 to 130000, the range that Tencent leaves to an app's own codes. A code is never used twice. */
  errorCode: number;
  /** One short sentence. Never a token, a signature or anything that a stranger sent. */
  errorInfo: string;
}

/** Every FAIL reply that this receiver can give, in the order of the checks. */
export const REASONS = {
  wrongApp: { status: 200, errorCode: 120001, errorInfo: 'SdkAppid is missing or is not this app' },
  wrongAddress: { status: 200, errorCode: 120002, errorInfo: 'the calling address is not allowed' },
  badSignature: { status: 200, errorCode: 120003, errorInfo: 'Sign or RequestTime is missing, or Sign is wrong' },
  expired: { status: 200, errorCode: 120004, errorInfo: 'RequestTime is more than 60 seconds from now' },
  badBody: { status: 200, errorCode: 120005, errorInfo: 'the body is not JSON in UTF-8 of at most 64 KiB' },
  commandsDisagree: { status: 200, errorCode: 120006, errorInfo: 'CallbackCommand differs between URL and body' },
  badPayload: {
    status: 200,
    errorCode: 120007,
    errorInfo: 'a field of the body is missing, of the wrong type or out of range',
  },
  notKept: { status: 503, errorCode: 120500, errorInfo: 'the delivery could not be kept' },
} as const satisfies Record<string, Reason>;

export type ReasonName = keyof typeof REASONS;

/** A delivery turned down because of what it is. Any other error means that we are at fault. */
export class Refusal extends Error {
  readonly reason: Exclude<ReasonName, 'notKept'>;
  /** The wire name of the field at fault, added to ErrorInfo: one of our own literals, never the caller's text. */
  readonly field: string | undefined;
  /** For the log only. */
  readonly detail: string | undefined;
  /** Whether the delivery is kept for people to look at. */
  isQuarantined = false;

  constructor(reason: Exclude<ReasonName, 'notKept'>, { field, detail }: { field?: string; detail?: string } = {}) {
    super(`refused: ${reason}`);
    this.name = 'Refusal';
    this.reason = reason;
    this.field = field;
    this.detail = detail;
  }
}

/**
 * Answers in Tencent's shape whatever happened: the last to run, so that nothing behind it can spoil the answer.
 *
 * @see https://www.tencentcloud.com/document/product/1047/60796 "Sample response"
 */
export function reply(): MiddlewareObj<Delivery, unknown> {
  return {
    after: (request) => {
      request.response = httpResponse(200, { ActionStatus: 'OK', ErrorInfo: '', ErrorCode: 0 });
    },
    onError: (request) => {
      const { reason, field } = request.error instanceof Refusal ? request.error : { reason: 'notKept' as const };
      const { status, errorCode, errorInfo } = REASONS[reason];
      request.response = httpResponse(status, {
        ActionStatus: 'FAIL',
        ErrorInfo: field === undefined ? errorInfo : `${errorInfo}: ${field}`,
        ErrorCode: errorCode,
      });
    },
  };
}

interface ReplyBody {
  ActionStatus: 'OK' | 'FAIL';
  ErrorInfo: string;
  ErrorCode: number;
}

function httpResponse(statusCode: number, body: ReplyBody): APIGatewayProxyStructuredResultV2 {
  return { statusCode, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
}
