import type { HttpApi } from 'aws-cdk-lib/aws-apigatewayv2';
import { Metric, Stats, type MetricOptions } from 'aws-cdk-lib/aws-cloudwatch';
import type { ITable } from 'aws-cdk-lib/aws-dynamodb';
import type { Function } from 'aws-cdk-lib/aws-lambda';
import type { LogGroup } from 'aws-cdk-lib/aws-logs';
import { Stack } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { DELIVERIES, NAMESPACE } from '../lambda/metrics.ts';
import type { Queues } from './queues.ts';

/** Where we want to hear of a slow reply: well below Chat's limit. */
export const SLOW_REPLY_MS = 1_500;

/** What the dashboard shows and the alarms watch. */
export interface Watched {
  serviceName: string;
  api: HttpApi;
  functions: { Receiver: Function; Redrive: Function; Publisher: Function };
  receiverLog: LogGroup;
  table: ITable;
  queues: Queues;
  probe: Function | undefined;
}

/**
 * Names a receiver in its logs and metrics, so that two of them keep theirs apart: its stack's name, and its path in the
 * stack unless that is `Default`, as in logical IDs.
 */
export function serviceNameOf(construct: Construct): string {
  const stack = Stack.of(construct);
  const ids = construct.node.scopes.slice(stack.node.scopes.length).map(({ node }) => node.id);
  return [stack.stackName, ...ids.filter((id) => id !== 'Default')].join('/');
}

/**
 * A metric that the receiver logs, of this receiver alone.
 *
 * @param dimensions as `countDelivery` sets them: an outcome, or the reason of a refusal.
 */
export function deliveryMetric(
  { serviceName }: Pick<Watched, 'serviceName'>,
  dimensions: { outcome: string } | { reason: string },
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
