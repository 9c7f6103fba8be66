import { expect, test } from '@jest/globals';
import { createBreaker } from '../../lambda/breaker.ts';

function startBreaker(random: number) {
  const clock = { ms: 1_000 };
  const breaker = createBreaker(
    () => clock.ms,
    () => random,
  );
  return { clock, breaker };
}

test('five time-outs in a row stop the calls, four do not', () => {
  const { breaker } = startBreaker(0);
  for (let timeouts = 1; timeouts <= 4; timeouts += 1) breaker.timedOut();
  expect(breaker.allows()).toBe(true);
  breaker.timedOut();
  expect(breaker.allows()).toBe(false);
});

test('a call that ends in time starts the count anew', () => {
  const { breaker } = startBreaker(0);
  for (let calls = 1; calls <= 20; calls += 1) {
    if (calls % 5 === 0) breaker.ended();
    else breaker.timedOut();
    expect(breaker.allows()).toBe(true);
  }
});

test.each([
  [0, [2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]],
  [1, [1_500, 3_000, 6_000, 12_000, 24_000, 45_000, 45_000]],
])('while the backend hangs, the pauses between two attempts grow (random: %d)', (random, pauses) => {
  const { clock, breaker } = startBreaker(random);
  for (let timeouts = 1; timeouts <= 4; timeouts += 1) breaker.timedOut();
  for (const pauseMs of pauses) {
    breaker.timedOut();
    clock.ms += pauseMs - 1;
    expect(breaker.allows()).toBe(false);
    clock.ms += 1;
    expect(breaker.allows()).toBe(true);
  }
  breaker.timedOut();
  breaker.ended();
  expect(breaker.allows()).toBe(true);
  breaker.timedOut();
  expect(breaker.allows()).toBe(true);
});
