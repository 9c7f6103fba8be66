import { slowed } from './time.ts';

/**
 * Waits until a function returns a value other than undefined and false.
 *
 * @throws after 10 s by default; later on a slow machine.
 */
export async function until<T>(
  condition: () => T | undefined | false | Promise<T | undefined | false>,
  milliseconds = slowed(10_000),
): Promise<T> {
  const end = Date.now() + milliseconds;
  for (;;) {
    const value = await condition();
    if (value !== undefined && value !== false) return value;
    if (Date.now() > end) throw new Error(`not fulfilled after ${milliseconds} ms: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
