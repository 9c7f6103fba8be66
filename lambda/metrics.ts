import type { Metrics } from '@aws-lambda-powertools/metrics';
import { FORWARD_FAILURES, type ForwardFailure, type Outcome, type ReasonName } from './outcomes.ts';

/** CloudWatch namespace of the metrics. */
export const NAMESPACE = 'TencentChatWebhook';
/** Number of deliveries. */
export const DELIVERIES = 'Deliveries';
/** Milliseconds from Tencent's EventTime to the receipt, of accepted deliveries with a handled command. */
export const EVENT_AGE = 'EventAge';
/** Milliseconds that DynamoDB took to answer. */
export const STORE_TIME = 'StoreTime';

/** Milliseconds until the app's backend has answered a forwarded delivery, or has failed to. */
export const FORWARD_TIME = 'ForwardTime';

export interface DeliveryMetrics {
  outcome: Outcome;
  /** What is wrong with the delivery. Undefined if nothing is. */
  reason?: ReasonName | undefined;
  eventAgeMs?: number | undefined;
  storeMs?: number | undefined;
}

/**
 * Counts a delivery by its outcome and, if it has one, by its reason. An ignored or forwarded delivery with a reason
 * counts only by its reason: strangers can send it, so it does not prove that Chat reaches the receiver.
 *
 * CloudWatch bills each combination of values as one metric. So dimensions have few values, and never an ID or another
 * value from the caller.
 *
 * @see https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
 */
export function countDelivery(metrics: Metrics, { outcome, reason, eventAgeMs, storeMs }: DeliveryMetrics): void {
  if (reason === undefined) metrics.addDimension('outcome', outcome);
  else if (outcome === 'ignored' || outcome === 'forwarded') metrics.addDimension('reason', reason);
  else metrics.addDimension('outcome', outcome).addDimensions({ reason }); // counts in both sets of dimensions
  metrics.addMetric(DELIVERIES, 'Count', 1);
  // Tencent's clock may be ahead. CloudWatch has no percentiles for data with a negative value.
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

/** Counts a forwarded delivery, with its time. */
export function countForward(metrics: Metrics, outcome: ForwardOutcome, ms: number): void {
  metrics.addDimension('forward', outcome);
  metrics.addMetric(FORWARD_TIME, 'Milliseconds', ms);
  metrics.publishStoredMetrics();
}
