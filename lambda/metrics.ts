import type { Metrics } from '@aws-lambda-powertools/metrics';
import { FORWARD_FAILURES, type ForwardFailure, type Outcome, type ReasonName } from './outcomes.ts';

/** The metrics' names in CloudWatch: the dashboard and the alarms take them from here. */
export const NAMESPACE = 'TencentChatWebhook';
/** A count: one for each delivery. */
export const DELIVERIES = 'Deliveries';
/** Milliseconds from Tencent's EventTime to API Gateway, of deliveries whose payload was read. */
export const EVENT_AGE = 'EventAge';
/** Milliseconds that DynamoDB took to answer. */
export const STORE_TIME = 'StoreTime';

/** Milliseconds until the app's backend has answered a forwarded delivery, or has failed to. */
export const FORWARD_TIME = 'ForwardTime';

export interface DeliveryMetrics {
  outcome: Outcome;
  /** The reason, where something was wrong. */
  reason?: ReasonName | undefined;
  eventAgeMs?: number | undefined;
  storeMs?: number | undefined;
}

/**
 * Counts a delivery, by its outcome and, where something was wrong, by the reason as well. One that was ignored although
 * something was wrong counts by its reason alone: it does not show that genuine deliveries arrive.
 *
 * Few values each, since every one that occurs is a metric of its own, and paid for: never an ID or anything else that
 * a caller words.
 *
 * @see https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
 */
export function countDelivery(metrics: Metrics, { outcome, reason, eventAgeMs, storeMs }: DeliveryMetrics): void {
  if (reason === undefined) metrics.addDimension('outcome', outcome);
  else if (outcome === 'ignored' || outcome === 'forwarded') metrics.addDimension('reason', reason);
  else metrics.addDimension('outcome', outcome).addDimensions({ reason }); // another set: each metric then counts for both
  metrics.addMetric(DELIVERIES, 'Count', 1);
  // Tencent's clock may be ahead of ours, but one negative value would cost CloudWatch's percentiles.
  if (eventAgeMs !== undefined) metrics.addMetric(EVENT_AGE, 'Milliseconds', Math.max(0, eventAgeMs));
  if (storeMs !== undefined) metrics.addMetric(STORE_TIME, 'Milliseconds', storeMs);
  metrics.publishStoredMetrics();
}

/** Values of the dimension `forward`: status 200, another status, or no answer. */
export type ForwardOutcome = 'ok' | 'notOk' | ForwardFailure;
export const FORWARD_OUTCOMES: readonly ForwardOutcome[] = [
  'ok',
  'notOk',
  ...(Object.keys(FORWARD_FAILURES) as ForwardFailure[]),
];

/** Counts a forwarded delivery, and its time. */
export function countForward(metrics: Metrics, outcome: ForwardOutcome, ms: number): void {
  metrics.addDimension('forward', outcome);
  metrics.addMetric(FORWARD_TIME, 'Milliseconds', ms);
  metrics.publishStoredMetrics();
}
