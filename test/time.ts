/** Factor by which the functions' timers are slower than on AWS. test/jest/set-up-whole.mjs measures it. */
export const TIME_SCALE = Number(process.env['TEST_TIME_SCALE'] ?? '1');

/** Returns a time limit of the slowed functions. @param milliseconds by the functions' own timers. */
export function slowed(milliseconds: number): number {
  return milliseconds * TIME_SCALE;
}
