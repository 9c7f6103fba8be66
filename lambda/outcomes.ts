/**
 * Outcomes of a delivery, as in the log and the metrics. `provesTraffic` is true if the outcome proves that Chat can
 * reach the receiver. `ignored` and `forwarded` are included: if something is wrong with such a delivery, the
 * metrics count it by its reason and not by its outcome.
 */
export const OUTCOMES = {
  stored: { provesTraffic: true },
  /** The event changes nothing: it is repeated, or all that it sets already has newer values. */
  stale: { provesTraffic: true },
  /** The command is not handled, or is absent. */
  ignored: { provesTraffic: true },
  /** The app's own backend has answered, or has failed to. */
  forwarded: { provesTraffic: true },
  /** The delivery is in the parking queue, and is stored later. */
  parked: { provesTraffic: true },
  /** The delivery is at fault. */
  rejected: { provesTraffic: false },
  /** The delivery is not kept: it is neither stored, nor parked, nor dead-lettered. */
  failed: { provesTraffic: false },
} as const satisfies Record<string, { provesTraffic: boolean }>;

export type Outcome = keyof typeof OUTCOMES;

export interface Reason {
  /** HTTP status: 200 if the delivery is at fault. Chat regards any other status as a failed webhook. */
  status: 200 | 502 | 503 | 504 | 508;
  /**
   * Code from 120001 to 130000, Tencent's range for the codes of an app. Each reason has its own. The code of a removed
   * reason is not given to a new one.
   */
  errorCode: number;
  /** Short sentence, without a token, a signature or any text from the delivery. */
  errorInfo: string;
  /** Whether an authentic delivery with this reason is dead-lettered. Chat does not repeat a delivery after a FAIL. */
  isDeadLettered: boolean;
}

/** Reasons of the receiver's own FAIL replies, in the order of the checks. */
export const REASONS = {
  wrongApp: {
    status: 200,
    errorCode: 120001,
    errorInfo: 'SdkAppid is missing or is not this app',
    isDeadLettered: false,
  },
  badSignature: {
    status: 200,
    errorCode: 120003,
    errorInfo: 'Sign or RequestTime is missing, or Sign is wrong',
    isDeadLettered: false,
  },
  expired: {
    status: 200,
    errorCode: 120004,
    errorInfo: 'RequestTime is more than 60 seconds from now',
    isDeadLettered: false,
  },
  wrongAddress: {
    status: 200,
    errorCode: 120002,
    errorInfo: 'the calling address is not allowed',
    isDeadLettered: true,
  },
  badBody: {
    status: 200,
    errorCode: 120005,
    errorInfo: 'the body is not JSON in UTF-8 of at most 64 KiB',
    isDeadLettered: true,
  },
  commandsDisagree: {
    status: 200,
    errorCode: 120006,
    errorInfo: 'CallbackCommand differs between URL and body',
    isDeadLettered: true,
  },
  badPayload: {
    status: 200,
    errorCode: 120007,
    errorInfo: 'a field of the body is missing, of the wrong type or out of range',
    isDeadLettered: true,
  },
  notKept: {
    status: 503,
    errorCode: 120500,
    errorInfo: 'the delivery could not be kept',
    isDeadLettered: false,
  },
} as const satisfies Record<string, Reason>;

/** FAIL replies to a forwarded delivery. Chat then follows the app's settings for failed webhooks. */
export const FORWARD_FAILURES = {
  backendFailed: {
    status: 502,
    errorCode: 120502,
    errorInfo: 'the backend of forwardUrl could not be reached, or its answer is broken or too large',
    isDeadLettered: false,
  },
  backendTimedOut: {
    status: 504,
    errorCode: 120504,
    errorInfo: 'the backend of forwardUrl did not answer in time',
    isDeadLettered: false,
  },
  forwardLoop: {
    status: 508,
    errorCode: 120508,
    errorInfo: 'forwardUrl leads back to this webhook',
    isDeadLettered: false,
  },
} as const satisfies Record<string, Reason>;

export type ForwardFailure = keyof typeof FORWARD_FAILURES;

export type ReasonName = keyof typeof REASONS;
/** Reasons for which the delivery is at fault. */
export type RejectionReason = Exclude<ReasonName, 'notKept'>;
export type DeadLetterReason = {
  [Name in ReasonName]: (typeof REASONS)[Name]['isDeadLettered'] extends true ? Name : never;
}[ReasonName];

export function isDeadLetterReason(name: ReasonName): name is DeadLetterReason {
  return REASONS[name].isDeadLettered;
}

export const DEAD_LETTER_REASONS = (Object.keys(REASONS) as ReasonName[]).filter(isDeadLetterReason);

/** The delivery is at fault. Any other error is a fault of the deployment. */
export class RejectedError extends Error {
  readonly reason: RejectionReason;
  /** Wire name of the invalid field, added to ErrorInfo. It is a literal in this code, never text from the delivery. */
  readonly field: string | undefined;
  /** Details for the log only. */
  readonly detail: string | undefined;
  /** True after the delivery was sent to the dead-letter queue. */
  isDeadLettered = false;

  constructor(reason: RejectionReason, { field, detail }: { field?: string; detail?: string } = {}) {
    super(`the delivery is rejected: ${reason}`);
    this.name = 'RejectedError';
    this.reason = reason;
    this.field = field;
    this.detail = detail;
  }
}

/** An error for a delivery whose command is not handled. The reply is OK, or the backend's answer. */
export class IgnoredError extends Error {
  /** A RejectedError or any other error. */
  override readonly cause: unknown;

  constructor(cause: unknown) {
    super('ignored');
    this.name = 'IgnoredError';
    this.cause = cause;
  }
}
