/** How often a row is delivered at most. */
export const MAX_TRIES = 3;

/** What is lost or wrong is no question of time. */
interface Outcome {
  lost: number;
  wrong: number;
}

/**
 * Delivers again what is not well for time alone: the limits of the function's time are real ones, and a busy machine
 * misses them now and then. What is lost or wrong is never tried again.
 *
 * @param deliver gets the number of the try, from 1.
 * @returns the last outcome, and which try it is of.
 */
export async function deliverUntilWell<T extends Outcome>(
  deliver: (tries: number) => Promise<T>,
  isWell: (outcome: T) => boolean,
): Promise<T & { tries: number }> {
  for (let tries = 1; ; tries += 1) {
    const outcome = await deliver(tries);
    const isFinal = isWell(outcome) || outcome.lost > 0 || outcome.wrong > 0 || tries === MAX_TRIES;
    if (isFinal) return { ...outcome, tries };
    console.log(`  Nothing lost or wrong, but late or not OK: try ${tries + 1} of ${MAX_TRIES} …`);
  }
}
