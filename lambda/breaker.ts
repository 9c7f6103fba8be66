/** Number of time-outs in a row after which the breaker opens. */
const MAX_TIMEOUTS = 5;

/** Pauses before the next attempt: 2 s, then twice as long each time, up to 60 s. */
const FIRST_PAUSE_MS = 2_000;
const MAX_PAUSE_MS = 60_000;

/**
 * Stops calls to a backend that hangs, because each of them would occupy an instance for 2 s. An instance has one call
 * at a time, so calls do not overlap.
 */
export interface Breaker {
  /** Returns whether the next call may be made. */
  allows(): boolean;
  /** The call has ended in time, with an answer or an error. */
  ended(): void;
  timedOut(): void;
}

/**
 * Creates a closed breaker. After five time-outs in a row it opens, and lets one call through after each pause. A call
 * that ends in time closes it.
 *
 * @param now Milliseconds.
 * @param random From 0 to 1. It shortens each pause by up to a quarter, so that instances do not try at the same
 * moment.
 */
export function createBreaker(now: () => number = Date.now, random: () => number = Math.random): Breaker {
  let timeouts = 0;
  let pausedUntilTime = -Infinity;
  return {
    allows: () => now() >= pausedUntilTime,
    ended: () => {
      timeouts = 0;
      pausedUntilTime = -Infinity;
    },
    timedOut: () => {
      timeouts += 1;
      if (timeouts < MAX_TIMEOUTS) return;
      const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** (timeouts - MAX_TIMEOUTS), MAX_PAUSE_MS);
      pausedUntilTime = now() + pauseMs * (1 - random() / 4);
    },
  };
}
