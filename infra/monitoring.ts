import type { HttpApi } from 'aws-cdk-lib/aws-apigatewayv2';
import { Metric, Stats, type MetricOptions } from 'aws-cdk-lib/aws-cloudwatch';
import type { ITable } from 'aws-cdk-lib/aws-dynamodb';
import type { Function } from 'aws-cdk-lib/aws-lambda';
import type { LogGroup } from 'aws-cdk-lib/aws-logs';
import { DELIVERIES, FORWARD_TIME, NAMESPACE, type ForwardOutcome } from '../lambda/metrics.ts';
import { OUTCOMES, type Outcome } from '../lambda/outcomes.ts';
import type { Queues } from './queues.ts';

/** Threshold of the alarm for slow replies, well below Chat's limit. */
export const SLOW_REPLY_MS = 1_500;

/** The resources that the dashboard shows and the alarms watch. */
export interface Monitored {
  serviceName: string;
  api: HttpApi;
  functions: { Receiver: Function; Redrive: Function; Publisher: Function };
  receiverLog: LogGroup;
  table: ITable;
  queues: Queues;
  probe: Function | undefined;
  /** Whether deliveries are forwarded to the app's own backend. */
  forwards: boolean;
}

/**
 * Returns a metric that this receiver writes to its log.
 *
 * @param dimensions An outcome, the reason why a delivery was rejected or ignored, or the result of forwarding.
 */
export function deliveryMetric(
  { serviceName }: Pick<Monitored, 'serviceName'>,
  dimensions: { outcome: string } | { reason: string } | { forward: ForwardOutcome },
  options: MetricOptions & { metricName?: string } = {},
): Metric {
  return new Metric({
    namespace: NAMESPACE,
    metricName: DELIVERIES,
    dimensionsMap: { service: serviceName, ...dimensions },
    statistic: Stats.SUM,
    ...options,
  });
}

/** Returns the outcomes that can occur. */
export function outcomesOf({ forwards }: Pick<Monitored, 'forwards'>): Outcome[] {
  return (Object.keys(OUTCOMES) as Outcome[]).filter((outcome) => forwards || outcome !== 'forwarded');
}

/** Returns the time that the app's backend took for forwarded deliveries. Its sample count is their number. */
export function forwardMetric(
  monitored: Pick<Monitored, 'serviceName'>,
  forward: ForwardOutcome,
  options: MetricOptions,
): Metric {
  return deliveryMetric(monitored, { forward }, { metricName: FORWARD_TIME, ...options });
}
