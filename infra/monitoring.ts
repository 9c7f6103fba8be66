import type { CfnPipe } from 'aws-cdk-lib/aws-pipes';
import type { HttpApi } from 'aws-cdk-lib/aws-apigatewayv2';
import { Metric, Stats, type MetricOptions } from 'aws-cdk-lib/aws-cloudwatch';
import type { TableV2 } from 'aws-cdk-lib/aws-dynamodb';
import type { Function } from 'aws-cdk-lib/aws-lambda';
import type { LogGroup } from 'aws-cdk-lib/aws-logs';
import type { Queue } from 'aws-cdk-lib/aws-sqs';
import type { Stack } from 'aws-cdk-lib';
import { DELIVERIES, NAMESPACE } from '../lambda/metrics.ts';

/** Where we want to hear of a slow reply: well below Chat's limit. */
export const SLOW_REPLY_MS = 1_500;

/** What the dashboard shows and the alarms watch. */
export interface Watched {
  api: HttpApi;
  functions: { Receiver: Function; Redrive: Function; Announce: Function };
  receiverLog: LogGroup;
  table: TableV2;
  queues: Queues;
  pipe: CfnPipe;
}

export interface Queues {
  /** Deliveries that wait to be stored. */
  parked: Queue;
  /** Deliveries for people to look at. */
  deadLetters: Queue;
  /** Changes of the table that could not be announced. */
  unannounced: Queue;
}

/**
 * A metric that the receiver logs, of this stack alone.
 *
 * @param dimensions as `countDelivery` sets them: an outcome, or the reason of a refusal.
 */
export function deliveryMetric(
  { stackName }: Stack,
  dimensions: { outcome: string } | { reason: string },
  options: MetricOptions & { metricName?: string } = {},
): Metric {
  return new Metric({
    namespace: NAMESPACE,
    metricName: DELIVERIES,
    dimensionsMap: { service: stackName, ...dimensions },
    statistic: Stats.SUM,
    ...options,
  });
}

/** @see https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-monitoring.html */
export function pipeMetric(pipe: CfnPipe, metricName: string): Metric {
  const dimensionsMap = { PipeName: pipe.ref };
  return new Metric({ namespace: 'AWS/EventBridge/Pipes', metricName, dimensionsMap, statistic: Stats.SUM });
}
