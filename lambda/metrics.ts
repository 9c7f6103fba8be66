import type { Metrics } from '@aws-lambda-powertools/metrics';
import type { Outcome, ReasonName } from './outcomes.ts';

/** CloudWatch namespace of the metrics. */
export const NAMESPACE = 'TencentChatWebhook';
/** Number of deliveries. */
export const DELIVERIES = 'Deliveries';
/** Milliseconds from Tencent's EventTime to the receipt, of accepted deliveries with a handled command. */
export const EVENT_AGE = 'EventAge';
/** Milliseconds that DynamoDB took to answer. */
export const STORE_TIME = 'StoreTime';

export interface DeliveryMetrics {
  outcome: Outcome;
  /** What is wrong with the delivery. Undefined if nothing is. */
  reason?: ReasonName | undefined;
  eventAgeMs?: number | undefined;
  storeMs?: number | undefined;
}

/**
 * Counts a delivery by its outcome and, if it has one, by its reason. An ignored delivery with a reason counts only by
 * its reason, because it does not prove traffic.
 *
 * CloudWatch bills each combination of values as one metric. So dimensions have few values, and never an ID or another
 * value from the caller.
 *
 * @see https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
 */
export function countDelivery(metrics: Metrics, { outcome, reason, eventAgeMs, storeMs }: DeliveryMetrics): void {
  if (reason === undefined) metrics.addDimension('outcome', outcome);
  else if (outcome === 'ignored') metrics.addDimension('reason', reason);
  else metrics.addDimension('outcome', outcome).addDimensions({ reason }); // counts in both sets of dimensions
  metrics.addMetric(DELIVERIES, 'Count', 1);
  // Tencent's clock may be ahead. CloudWatch has no percentiles for data with a negative value.
  if (eventAgeMs !== undefined) metrics.addMetric(EVENT_AGE, 'Milliseconds', Math.max(0, eventAgeMs));
  if (storeMs !== undefined) metrics.addMetric(STORE_TIME, 'Milliseconds', storeMs);
  metrics.publishStoredMetrics();
}
