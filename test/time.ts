/** How many times slower than on AWS the functions' timers run in the tests: test/jest/set-up-whole.mjs measures it. */
export const TIME_SCALE = Number(process.env['TEST_TIME_SCALE'] ?? '1');

/** A limit of time as the slowed functions keep it. @param milliseconds by the functions' own timers. */
export function slowed(milliseconds: number): number {
  return milliseconds * TIME_SCALE;
}
