import { Duration, type Stack } from 'aws-cdk-lib';
import {
  Alarm,
  ComparisonOperator,
  MathExpression,
  Stats,
  TreatMissingData,
  type AlarmProps,
  type MetricOptions,
} from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import type { Topic } from 'aws-cdk-lib/aws-sns';
import { CHAT_TIMEOUT_MS } from '../lambda/limits.ts';
import { OUTCOMES, type Outcome } from '../lambda/outcomes.ts';
import { deliveryMetric, pipeMetric, SLOW_REPLY_MS, type Watched } from './monitoring.ts';
import type { Settings } from './settings.ts';

/** More wrong signatures than that in five minutes are no accident. */
const MAX_BAD_SIGNATURES = 10;
/** Strangers who try other paths are answered 404: a few are always about. */
const MAX_CLIENT_ERRORS = 10;

type Rule = Pick<AlarmProps, 'metric' | 'alarmDescription'> &
  Partial<Pick<AlarmProps, 'threshold' | 'evaluationPeriods'>>;

/**
 * Tells the topic where something is wrong. Each description says what it means and what to do first.
 *
 * @returns the alarms, the worst first.
 */
export function alarms(stack: Stack, topic: Topic, watched: Watched, settings: Settings): Alarm[] {
  const { api, functions, queues, pipe } = watched;
  const now = { period: Duration.minutes(1), statistic: Stats.MAXIMUM };
  const sum = { period: Duration.minutes(5), statistic: Stats.SUM };
  const oneMinute = { period: Duration.minutes(1), statistic: Stats.SUM };

  const rules: Record<string, Rule> = {
    NotKept: {
      metric: deliveryMetric(stack, { reason: 'notKept' }, oneMinute),
      alarmDescription:
        'Neither DynamoDB nor SQS took a delivery, or the token could not be read. With outcome failed it was answered ' +
        '503 and is lost, unless Chat repeats it; with outcome ignored it held nothing to store, but the next one may. ' +
        "First: in the receiver's log, the lines with reason notKept say which service failed and how; then look at " +
        'the AWS Health Dashboard, and compare the table with the Chat console.',
    },
    ApiServerErrors: {
      metric: api.metricServerError(oneMinute),
      alarmDescription:
        'Chat was answered 5xx. First: if NotKept has gone off as well, go on there. If not, the receiver died, timed ' +
        "out or could not start: see the last lines of its log, and the access log's integrationError.",
    },
    DeadLettered: {
      metric: queues.deadLetters.metricApproximateNumberOfMessagesVisible(now),
      alarmDescription:
        'A genuine delivery was not understood, or could not be stored in up to eight hours. It is kept for 14 days. ' +
        'While it lies there, a further one raises no new alarm. ' +
        'First: look at it as the README says under "The dead-letter queue"; mend the cause, and send it back.',
    },
    ParkedTooLong: {
      // Not the age of the oldest message: SQS leaves those out of it that were received three times.
      metric: new MathExpression({
        expression: 'FILL(visible, 0) + FILL(hidden, 0)',
        label: 'Deliveries parked',
        period: now.period,
        usingMetrics: {
          visible: queues.parked.metricApproximateNumberOfMessagesVisible(now),
          hidden: queues.parked.metricApproximateNumberOfMessagesNotVisible(now),
        },
      }),
      evaluationPeriods: 15, // four attempts to store a delivery have failed
      alarmDescription:
        'For 15 minutes there were deliveries that wait to be stored. Each is tried for up to eight hours, then goes ' +
        "to the dead-letter queue. First: see in the redrive's log why, and whether DynamoDB throttles or is down.",
    },
    SlowReplies: {
      metric: api.metricLatency({ period: Duration.minutes(5), statistic: Stats.p(99) }),
      threshold: SLOW_REPLY_MS,
      alarmDescription:
        `One reply in a hundred, or the only one, took longer than ${SLOW_REPLY_MS} ms; Chat hangs up after ` +
        `${CHAT_TIMEOUT_MS} (what is stored by then stays stored). First: see on the dashboard whether it is cold ` +
        'starts (set provisionedConcurrency) or the time to store (DynamoDB).',
    },
    BadSignatures: {
      metric: deliveryMetric(stack, { reason: 'badSignature' }, sum),
      threshold: MAX_BAD_SIGNATURES,
      alarmDescription:
        `More than ${MAX_BAD_SIGNATURES} deliveries of whatever command in five minutes had a wrong signature. First: ` +
        'was the token changed in the Chat console or in Secrets Manager alone? Then deliveries are being lost: make ' +
        'both the same. If not, somebody guesses: the access log has the addresses; consider allowedCidrs.',
    },
    ...(settings.allowedCidrs.length > 0 && {
      WrongAddresses: {
        metric: deliveryMetric(stack, { reason: 'wrongAddress' }, sum),
        alarmDescription:
          'A delivery for this app came from an address that is not in allowedCidrs. If its signature was right and its ' +
          'command is one that is stored here, it lies in the dead-letter queue. First: ask Chat for its addresses anew ' +
          '(the README\'s "An allow-list" says how), deploy, and send back what lies there.',
      },
    }),
    ApiClientErrors: {
      metric: api.metricClientError(sum),
      threshold: MAX_CLIENT_ERRORS,
      alarmDescription:
        `More than ${MAX_CLIENT_ERRORS} requests in five minutes were answered 4xx. First: see their status in the ` +
        "access log. 404 is a wrong path: strangers, or the URL in the Chat console; 429 means that Chat's " +
        'deliveries are throttled and lost.',
    },
    ...functionRules(functions, oneMinute),
    PipeFailed: {
      metric: new MathExpression({
        expression: 'FILL(failed, 0) + FILL(partiallyFailed, 0) + FILL(timedOut, 0)',
        label: 'Failed executions',
        period: Duration.minutes(5),
        usingMetrics: {
          failed: pipeMetric(pipe, 'ExecutionFailed'),
          partiallyFailed: pipeMetric(pipe, 'ExecutionPartiallyFailed'),
          timedOut: pipeMetric(pipe, 'ExecutionTimeout'),
        },
      }),
      alarmDescription:
        'New official accounts are stored, but could not be announced on the event bus. The pipe goes on trying for ' +
        'half a day; but AWS may stop a pipe that lacks a right or a resource, and what the stream holds is gone after ' +
        '24 hours. First: aws pipes describe-pipe --name PIPE_NAME says in StateReason whether it was stopped; the ' +
        "pipe's log says what failed. Mend it, and start it again with aws pipes start-pipe.",
    },
    NotAnnounced: {
      metric: queues.unannounced.metricApproximateNumberOfMessagesVisible(now),
      alarmDescription:
        'A new official account is stored, but was not announced for half a day, and will not be by itself. While it ' +
        'lies in its queue, a further one raises no new alarm. ' +
        'First: mend the cause (see PipeFailed), then announce it by hand, as the README says under "Announcing again".',
    },
  };
  const raised = Object.entries(rules).map(
    ([id, rule]) =>
      new Alarm(stack, id, {
        threshold: 0,
        evaluationPeriods: 1,
        comparisonOperator: ComparisonOperator.GREATER_THAN_THRESHOLD,
        treatMissingData: TreatMissingData.NOT_BREACHING, // what is idle reports nothing
        ...rule,
      }),
  );
  if (settings.silenceHours !== undefined) raised.push(silence(stack, settings.silenceHours));
  for (const alarm of raised) alarm.addAlarmAction(new SnsAction(topic));
  return raised;
}

/** What a failure of each function costs. */
const LOSS = {
  Receiver: 'The delivery is lost, unless Chat repeats it.',
  Redrive: 'Nothing is lost: parked deliveries stay in their queue.',
  Announce: 'Nothing is lost: the pipe tries again for half a day.',
};

function functionRules(functions: Watched['functions'], each: MetricOptions): Record<string, Rule> {
  const rules: Record<string, Rule> = {};
  for (const [name, loss] of Object.entries(LOSS)) {
    const lambda = functions[name as keyof typeof LOSS];
    rules[`${name}Errors`] = {
      metric: lambda.metricErrors(each),
      alarmDescription:
        `The function ${name} threw, died or timed out. ${loss} First: see the last lines of its log. After a ` +
        'deployment, deploy the version before.',
    };
    rules[`${name}Throttled`] = {
      metric: lambda.metricThrottles(each),
      alarmDescription:
        `Lambda had no free instance for the function ${name}. ${loss} First: look for what else uses the account's ` +
        'concurrency in this region, and ask AWS for a higher quota.',
    };
  }
  return rules;
}

/** What tells that Chat calls: all that was not refused. */
const GENUINE = Object.entries(OUTCOMES).flatMap(([outcome, { isGenuine }]) => (isGenuine ? [outcome as Outcome] : []));

function silence(stack: Stack, hours: number): Alarm {
  const period = Duration.hours(1);
  const metrics = GENUINE.map((outcome) => [outcome, deliveryMetric(stack, { outcome }, { period })]);
  return new Alarm(stack, 'Silence', {
    metric: new MathExpression({
      expression: `SUM([${GENUINE.map((outcome) => `FILL(${outcome}, 0)`).join()}])`,
      label: 'Genuine deliveries',
      period,
      usingMetrics: Object.fromEntries(metrics),
    }),
    threshold: 1,
    comparisonOperator: ComparisonOperator.LESS_THAN_THRESHOLD,
    evaluationPeriods: hours,
    treatMissingData: TreatMissingData.BREACHING, // nothing is reported where nothing comes
    alarmDescription:
      `No genuine delivery came for ${hours} hours, or none yet since the first deployment. First: see on the ` +
      'dashboard whether deliveries are refused. If none come at all, check the URL, the event and the authentication ' +
      'in the Chat console.',
  });
}
