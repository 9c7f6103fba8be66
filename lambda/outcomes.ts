/**
 * What can become of a delivery: `outcome` in the log and in the metrics. Genuine is what shows that Chat's deliveries
 * arrive and are taken.
 */
export const OUTCOMES = {
  stored: { provesTraffic: true },
  /** The record already held this event or a newer one. */
  stale: { provesTraffic: true },
  /** Its command is none that is handled here. With a reason, where something was wrong with it: then not genuine. */
  ignored: { provesTraffic: true },
  /** The app's own backend has answered it, or has failed to. With a reason, if a check failed: then it proves nothing. */
  forwarded: { provesTraffic: true },
  /** It waits in the parking queue to be stored. */
  parked: { provesTraffic: true },
  refused: { provesTraffic: false },
  /** It could be neither stored nor kept. */
  failed: { provesTraffic: false },
} as const satisfies Record<string, { provesTraffic: boolean }>;

export type Outcome = keyof typeof OUTCOMES;

export interface Reason {
  /** HTTP status. Chat regards any other than 200 as a failed webhook. */
  status: 200 | 502 | 503 | 504 | 508;
  /** A code from 120001 to 130000, the range that Tencent leaves to an app's own codes. It is never used twice. */
  errorCode: number;
  /** One short sentence. Never a token, a signature or anything that a stranger sent. */
  errorInfo: string;
  /**
   * Whether a delivery with a right signature is kept in the dead-letter queue: Chat ignores a FAIL, so that what
   * the delivery holds would be gone.
   */
  isDeadLettered: boolean;
}

/** Every FAIL reply that this receiver can give, in the order of the checks. */
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

/** FAIL replies to a delivery that was to be forwarded. Chat then does what its settings for failed webhooks say. */
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
/** The reasons that lie in the delivery, and not with us. */
export type RejectionReason = Exclude<ReasonName, 'notKept'>;
export type DeadLetterReason = {
  [Name in ReasonName]: (typeof REASONS)[Name]['isDeadLettered'] extends true ? Name : never;
}[ReasonName];

export function isDeadLetterReason(name: ReasonName): name is DeadLetterReason {
  return REASONS[name].isDeadLettered;
}

export const DEAD_LETTER_REASONS = (Object.keys(REASONS) as ReasonName[]).filter(isDeadLetterReason);

/** A delivery turned down because of what it is. Any other error means that we are at fault. */
export class RejectedError extends Error {
  readonly reason: RejectionReason;
  /** The wire name of the field at fault, added to ErrorInfo: one of our own literals, never the caller's text. */
  readonly field: string | undefined;
  /** More about it, for the log only. */
  readonly detail: string | undefined;
  /** True once the delivery lies in the dead-letter queue. */
  isDeadLettered = false;

  constructor(reason: RejectionReason, { field, detail }: { field?: string; detail?: string } = {}) {
    super(`refused: ${reason}`);
    this.name = 'RejectedError';
    this.reason = reason;
    this.field = field;
    this.detail = detail;
  }
}

/** Something is wrong with a delivery whose command is none of ours: Chat gets its OK all the same. */
export class IgnoredError extends Error {
  /** A RejectedError, or an error of ours. */
  override readonly cause: unknown;

  constructor(cause: unknown) {
    super('ignored');
    this.name = 'IgnoredError';
    this.cause = cause;
  }
}
