/** The time that Chat waits for a reply. @see https://www.tencentcloud.com/document/product/1047/34354 */
export const CHAT_TIMEOUT_MS = 2_000;

/**
 * The time that a delivery may wait for a service behind it. Chat stops waiting after 2,000 ms. Token, store and queue
 * come one after another: 1,900 ms at the most, 1,300 without a new token. The rest is for the network. Only the first
 * delivery of a new instance may wait longer, while a service hangs: for the end of init, up to 700 ms more. Each service
 * answers within a few tens of milliseconds in the normal case, and the second attempt is for a connection that died
 * while the instance was frozen.
 */
export interface Limits {
  attempts: number;
  /** The limit of each attempt, its connection included. */
  attemptMs: number;
  /** The limit of all attempts together, with the pauses between them. */
  totalMs: number;
}

export const STORE_LIMITS: Limits = { attempts: 2, attemptMs: 275, totalMs: 600 };
/** The limits of parking. Loading the SQS client and opening its connection are part of it. */
export const QUEUE_LIMITS: Limits = { attempts: 2, attemptMs: 325, totalMs: 700 };
/** The limits of reading the token, during init and when a signature doesn't match. */
export const TOKEN_LIMITS: Limits = { attempts: 2, attemptMs: 275, totalMs: 600 };
/** The limit of the rehearsal during init: the first delivery waits for its end. */
export const WARM_UP_LIMITS = { totalMs: 700 };
/** The limits of the redrive, for which nobody waits. */
export const REDRIVE_LIMITS: Limits = { attempts: 3, attemptMs: 3_000, totalMs: 10_000 };

/**
 * The limits of publishing a batch of events, for which nobody waits. Each attempt is one call of `PutEvents`; the total is
 * the time after which no further attempt begins.
 */
export const PUBLISH_LIMITS: Limits = { attempts: 3, attemptMs: 2_000, totalMs: 20_000 };

/** Chat's largest documented bodies are a few kB; a delivery must fit whole into a queue message. */
export const MAX_BODY_BYTES = 64 * 1024;

/** The limit of an event's time ahead of our clock: once taken, it would come after all later events of its account. */
export const MAX_AHEAD_MS = 10 * 60_000;

/** Minimum of an event's time, in Unix milliseconds: 2001. A smaller number counts seconds, and would be a time in 1970. */
export const MIN_EVENT_TIME_MS = 1e12;

/** DynamoDB's limit for a sort key. Tencent's own, shorter limits are not enforced: Tencent has done that. */
export const MAX_KEY_BYTES = 1024;

/** A size that SQS takes for a message in every region. */
export const MAX_MESSAGE_BYTES = 256 * 1024;

/** The number of times that a parked delivery is tried before it is left to people: eight and a half hours in all. */
export const MAX_RECEIPTS = 10;

/**
 * Gives up on a call when its time is over. The SDK alone would first sit out its pause between two attempts.
 * What the call may still do afterwards does no harm, since every write here may come twice or late.
 *
 * @param onTimeout cuts the connection of a call that is given up: one that stalls would never be free again, and there
 * are 50 at most.
 * @throws what the call throws, or a TimeoutError.
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
