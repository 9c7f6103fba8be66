import { Duration, type Stack } from 'aws-cdk-lib';
import { Alarm, ComparisonOperator, MathExpression, TreatMissingData, type IMetric } from 'aws-cdk-lib/aws-cloudwatch';
import type { Queue } from 'aws-cdk-lib/aws-sqs';

export interface Queues {
  /** Deliveries that wait to be stored. */
  parked: Queue;
  /** Deliveries for people to look at. */
  deadLetters: Queue;
}

/** Goes off where deliveries stay unstored. */
export function alarms(stack: Stack, { parked, deadLetters }: Queues): void {
  const now = { period: Duration.minutes(1), statistic: 'Maximum' };
  alarm(stack, 'ParkedTooLong', {
    // Not the age of the oldest message: SQS leaves those out of it that were received three times.
    metric: new MathExpression({
      expression: 'visible + hidden',
      label: 'Deliveries parked',
      period: now.period,
      usingMetrics: {
        visible: parked.metricApproximateNumberOfMessagesVisible(now),
        hidden: parked.metricApproximateNumberOfMessagesNotVisible(now),
      },
    }),
    minutes: 15, // four attempts to store a delivery have failed
    description:
      'For 15 minutes there were deliveries that wait to be stored. See in the log of the redrive function why, and ' +
      'whether DynamoDB throttles or is down. Each is tried for up to eight hours, then goes to the dead-letter queue.',
  });
  alarm(stack, 'DeadLettered', {
    metric: deadLetters.metricApproximateNumberOfMessagesVisible(now),
    minutes: 1,
    description:
      'A genuine delivery was not understood, or could not be stored in up to eight hours. It is kept for 14 days. ' +
      'Look at it, mend the cause, and send it back to the parking queue: the README says how.',
  });
}

/** Goes off where there was something in every one of so many minutes. */
function alarm(
  stack: Stack,
  id: string,
  { metric, minutes, description }: { metric: IMetric; minutes: number; description: string },
): void {
  new Alarm(stack, id, {
    metric,
    threshold: 0,
    alarmDescription: description,
    comparisonOperator: ComparisonOperator.GREATER_THAN_THRESHOLD,
    evaluationPeriods: minutes,
    treatMissingData: TreatMissingData.NOT_BREACHING, // an idle queue reports nothing
  });
}
