/** Maximum time that Chat waits for a reply. @see https://www.tencentcloud.com/document/product/1047/34354 */
export const CHAT_TIMEOUT_MS = 2_000;

/**
 * Limits of the calls to one service.
 *
 * Chat waits for 2,000 ms. A delivery calls Secrets Manager, DynamoDB and SQS one after another: at most 1,900 ms, or
 * 1,300 ms if the token need not be read. The rest is for the network. The first delivery of a new instance also waits
 * for the end of init. If a service hangs, init takes up to 700 ms longer, and the reply may be too late for Chat.
 *
 * A service normally answers within a few tens of milliseconds. The second attempt is for a connection that was lost
 * while the instance was frozen.
 */
export interface Limits {
  attempts: number;
  /** Limit of each attempt, including its connection. */
  attemptMs: number;
  /** Limit of all attempts together, including the pauses between them. */
  totalMs: number;
}

export const STORE_LIMITS: Limits = { attempts: 2, attemptMs: 275, totalMs: 600 };
/** Limits of parking and dead-lettering. They include loading the SQS client and opening its connection. */
export const QUEUE_LIMITS: Limits = { attempts: 2, attemptMs: 325, totalMs: 700 };
/** Limits of reading the token: during init, after a signature that does not match, and every 5 minutes. */
export const TOKEN_LIMITS: Limits = { attempts: 2, attemptMs: 275, totalMs: 600 };
/** Limit of the warm-up during init. The first delivery waits for its end. */
export const WARM_UP_LIMITS = { totalMs: 700 };
/** Limit of opening the connection to the app's backend during init. */
export const CONNECT_LIMITS = { totalMs: 600 };
/** Minimum time for the backend's answer, if a cold start has used up the 2 seconds. */
export const MIN_FORWARD_MS = 50;
/** Limits of calls for which no caller waits: those of the redrive, the publisher's queue and the probe. */
export const BACKGROUND_LIMITS: Limits = { attempts: 3, attemptMs: 3_000, totalMs: 10_000 };

/**
 * Limits of publishing a batch of events. No caller waits for it. Each attempt is one call of `PutEvents`. No attempt
 * starts after the total.
 */
export const PUBLISH_LIMITS: Limits = { attempts: 3, attemptMs: 2_000, totalMs: 20_000 };

/** Maximum size of a body, so that a delivery fits into a queue message. Chat's documented bodies have a few kB. */
export const MAX_BODY_BYTES = 64 * 1024;

/** Maximum size of an answer of the app's backend. Chat's documented answers have a few kB. */
export const MAX_ANSWER_BYTES = 1024 * 1024;

/** How far EventTime may be ahead of the receipt. A stored event with a wrong time would win over all later events. */
export const MAX_AHEAD_MS = 10 * 60_000;

/** Minimum EventTime, in Unix milliseconds: the year 2001. A smaller number counts seconds. */
export const MIN_EVENT_TIME_MS = 1e12;

/** Maximum size of a sort key in DynamoDB. Tencent's shorter limits are not enforced, because Tencent enforces them. */
export const MAX_KEY_BYTES = 1024;

/** Maximum size of an SQS message. Some regions allow more. */
export const MAX_MESSAGE_BYTES = 256 * 1024;

/** Number of attempts to store a parked delivery, in eight and a half hours. Then it goes to the dead-letter queue. */
export const MAX_ATTEMPTS = 10;

/**
 * Limits the time of a call with all its attempts. The SDK can limit only each attempt.
 *
 * The call may continue after the timeout. A late or repeated write is harmless, because merging an event twice gives
 * the same record.
 *
 * @param onTimeout must close the connection if it belongs to the pool of a client. A stalled connection would stay in
 * the pool, which has at most 50 connections.
 * @throws the error of the call, or a TimeoutError.
 */
export async function withTimeout<T>(
  { totalMs }: Pick<Limits, 'totalMs'>,
  call: Promise<T>,
  onTimeout: () => void = () => {},
): Promise<T> {
  const timeout = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    onTimeout();
    timeout.reject(new TimeoutError(`no answer within ${totalMs} ms`));
  }, totalMs);
  try {
    return await Promise.race([call, timeout.promise]);
  } finally {
    clearTimeout(timer);
  }
}

class TimeoutError extends Error {
  override name = 'TimeoutError';
}
