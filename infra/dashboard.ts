import { Duration } from 'aws-cdk-lib';
import {
  AlarmStatusWidget,
  Dashboard,
  GraphWidget,
  LogQueryVisualizationType,
  LogQueryWidget,
  Stats,
  type Alarm,
  type IMetric,
} from 'aws-cdk-lib/aws-cloudwatch';
import type { Construct } from 'constructs';
import { CHAT_TIMEOUT_MS } from '../lambda/limits.ts';
import { EVENT_AGE, FORWARD_OUTCOMES, STORE_TIME } from '../lambda/metrics.ts';
import { REASONS } from '../lambda/outcomes.ts';
import { deliveryMetric, forwardMetric, outcomesOf, SLOW_REPLY_MS, type Monitored } from './monitoring.ts';

const CHAT_LIMIT = { value: CHAT_TIMEOUT_MS, label: 'Chat stops waiting', color: '#d62728' };

/** Creates the dashboard: alarms, latest official accounts, outcomes, times and failures. */
export function dashboard(scope: Construct, monitored: Monitored, alarms: readonly Alarm[]): Dashboard {
  const { api, functions, receiverLog, table, queues } = monitored;
  const stored = (metricName: string, statistic: string) =>
    deliveryMetric(monitored, { outcome: 'stored' }, { metricName, statistic, label: statistic });
  const latency = (statistic: string) => api.metricLatency({ statistic, label: statistic });
  const named = (label: string) => ({ label, statistic: Stats.SUM });
  const now = (label: string) => ({ label, statistic: Stats.MAXIMUM, period: Duration.minutes(1) });

  const writes = (metricName: string, label: string) =>
    table.metric(metricName, {
      ...named(label),
      dimensionsMap: { TableName: table.tableName, Operation: 'UpdateItem' },
    });

  return new Dashboard(scope, 'Dashboard', {
    defaultInterval: Duration.days(7),
    widgets: [
      [new AlarmStatusWidget({ title: 'Alarms', alarms: [...alarms], width: 24, height: 4 })],
      [
        new LogQueryWidget({
          title: 'Latest official accounts',
          logGroupNames: [receiverLog.logGroupName],
          view: LogQueryVisualizationType.TABLE,
          queryLines: [
            'filter message = "delivery" and ispresent(officialAccountId) and outcome != "ignored"',
            'fields @timestamp, name, officialAccountId, ownerAccount, outcome, command',
            'sort @timestamp desc',
            'limit 100',
          ],
          width: 24,
          height: 8,
        }),
      ],
      [
        graph(
          'Deliveries by outcome',
          outcomesOf(monitored).map((outcome) => deliveryMetric(monitored, { outcome }, { label: outcome })),
        ),
        graph(
          'What was wrong, by reason',
          Object.keys(REASONS).map((reason) => deliveryMetric(monitored, { reason }, { label: reason })),
        ),
        new GraphWidget({
          title: 'Time to reply, ms: Chat stops waiting at the red line',
          left: [latency(Stats.p(50)), latency(Stats.p(99))],
          leftAnnotations: [CHAT_LIMIT, { value: SLOW_REPLY_MS, label: 'alarm' }],
          leftYAxis: { min: 0, showUnits: false },
          width: 8,
        }),
      ],
      [
        graph('DynamoDB’s time to store, ms', [stored(STORE_TIME, Stats.p(50)), stored(STORE_TIME, Stats.p(99))]),
        graph('Age of events at receipt, ms', [stored(EVENT_AGE, Stats.p(50)), stored(EVENT_AGE, Stats.p(99))]),
        new LogQueryWidget({
          title: 'Cold starts, and the longest init, ms',
          logGroupNames: [receiverLog.logGroupName],
          view: LogQueryVisualizationType.LINE,
          queryLines: [
            'filter @type = "REPORT"',
            'stats count(@initDuration) as coldStarts, max(@initDuration) as longestInitMs by bin(1h)',
          ],
          width: 8,
          height: 6,
        }),
      ],
      [
        graph('Parked and dead-lettered', [
          queues.parked.metricApproximateNumberOfMessagesVisible(now('parked, due')),
          queues.parked.metricApproximateNumberOfMessagesNotVisible(now('parked, waiting')),
          queues.deadLetters.metricApproximateNumberOfMessagesVisible(now('dead letters')),
          queues.unpublished.metricApproximateNumberOfMessagesVisible(now('unpublished')),
        ]),
        graph('Errors and throttles', [
          api.metricClientError(named('API 4xx')),
          api.metricServerError(named('API 5xx')),
          ...Object.entries(functions).flatMap(([name, lambda]) => [
            lambda.metricErrors(named(`${name} errors`)),
            lambda.metricThrottles(named(`${name} throttled`)),
          ]),
          writes('ThrottledRequests', 'table throttled'),
          writes('SystemErrors', 'table errors'),
        ]),
        graph('Age of changes when published, ms', [functions.Publisher.metric('IteratorAge', now('oldest'))]),
      ],
      ...(monitored.forwards ? [forwarding(monitored)] : []),
    ],
  });
}

function forwarding(monitored: Monitored): GraphWidget[] {
  const time = (statistic: string) => forwardMetric(monitored, 'ok', { statistic, label: statistic });
  return [
    graph(
      'Forwarded deliveries by result',
      FORWARD_OUTCOMES.map((outcome) =>
        forwardMetric(monitored, outcome, { statistic: Stats.SAMPLE_COUNT, label: outcome }),
      ),
    ),
    new GraphWidget({
      title: 'Time of the backend to answer, ms',
      left: [time(Stats.p(50)), time(Stats.p(99))],
      leftAnnotations: [CHAT_LIMIT],
      leftYAxis: { min: 0, showUnits: false },
      width: 8,
    }),
  ];
}

function graph(title: string, left: IMetric[]): GraphWidget {
  return new GraphWidget({ title, left, leftYAxis: { min: 0, showUnits: false }, width: 8 });
}
