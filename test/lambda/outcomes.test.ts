import { describe, expect, test } from '@jest/globals';
import { REASONS } from '../../lambda/outcomes.ts';

describe('the table of reasons', () => {
  const reasons = Object.values(REASONS);

  test('uses each code once, from Tencent’s range for apps', () => {
    const codes = reasons.map(({ errorCode }) => errorCode);
    expect(new Set(codes).size).toBe(codes.length);
    for (const code of codes) {
      expect(code).toBeGreaterThanOrEqual(120_001);
      expect(code).toBeLessThanOrEqual(130_000);
    }
  });

  test('has status 503 only for lost deliveries', () => {
    for (const [name, { status }] of Object.entries(REASONS)) expect(status).toBe(name === 'notKept' ? 503 : 200);
  });
});
