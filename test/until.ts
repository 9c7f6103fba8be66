import { slowed } from './time.ts';

/**
 * Waits until a condition gives something.
 *
 * @throws where it gives nothing in that time: by default 10 s, more on a slow machine.
 */
export async function until<T>(
  condition: () => T | undefined | Promise<T | undefined>,
  milliseconds = slowed(10_000),
): Promise<T> {
  const end = Date.now() + milliseconds;
  for (;;) {
    const value = await condition();
    if (value !== undefined) return value;
    if (Date.now() > end) throw new Error(`still not so after ${milliseconds} ms: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
