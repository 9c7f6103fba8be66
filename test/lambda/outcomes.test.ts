import { describe, expect, test } from '@jest/globals';
import { REASONS } from '../../lambda/outcomes.ts';

describe('the table of reasons', () => {
  const reasons = Object.values(REASONS);

  test('uses every code once, from the range that Tencent leaves to apps', () => {
    const codes = reasons.map(({ errorCode }) => errorCode);
    expect(new Set(codes).size).toBe(codes.length);
    for (const code of codes) {
      expect(code).toBeGreaterThanOrEqual(120_001);
      expect(code).toBeLessThanOrEqual(130_000);
    }
  });

  test('answers 200 to all that was decided, and 503 only to what could not be kept', () => {
    for (const [name, { status }] of Object.entries(REASONS)) expect(status).toBe(name === 'notKept' ? 503 : 200);
  });
});
