import { expect, test } from '@jest/globals';
import { resourcesOf } from '../deployment.ts';
import { ALARM_METRICS, billedMs, lambdaUsdPerMillion, usdPerMillion, usdPerMonth } from './cost.ts';

test("a million deliveries of 100 ms at 1 GB cost what AWS's price list says: 0.20 for requests, 1.33334 for time", () => {
  expect(lambdaUsdPerMillion(100, 1_024)).toBeCloseTo(0.2 + 1.33334, 5);
});

test('begun milliseconds are billed, and those of DynamoDB are added', () => {
  expect(billedMs(2.1)).toBe(8);
});

test('of one delivery a second all are traced, of many one in twenty', () => {
  expect(usdPerMillion(8, 512, 1)['X-Ray, sampled']).toBe(5);
  expect(usdPerMillion(8, 512, 1_000_000)['X-Ray, sampled']).toBeCloseTo(0.25, 3);
});

test('what is paid by the month costs the same however many deliveries come', () => {
  for (const perSecond of [1, 100]) {
    const perMillion = usdPerMillion(8, 512, perSecond)['Secret, alarms, metrics, dashboard'] ?? NaN;
    expect(usdPerMonth(perMillion, perSecond)).toBeCloseTo(0.4 + 1.8 + 1.8 + 3, 10);
  }
});

test('the alarms watch as many metrics as are paid for', () => {
  const watched = resourcesOf('AWS::CloudWatch::Alarm').map(({ Metrics: metrics }) =>
    metrics === undefined ? 1 : metrics.filter(({ MetricStat }: any) => MetricStat).length,
  );
  expect(watched.reduce((sum, count) => sum + count, 0)).toBe(ALARM_METRICS);
});
