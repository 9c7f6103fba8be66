import { Duration, type Stack } from 'aws-cdk-lib';
import { Alarm, ComparisonOperator, TreatMissingData, type Metric } from 'aws-cdk-lib/aws-cloudwatch';
import type { Queue } from 'aws-cdk-lib/aws-sqs';

export interface Queues {
  /** Deliveries that wait to be stored. */
  parked: Queue;
  /** Deliveries for people to look at. */
  deadLetters: Queue;
}

/** Wakes people where deliveries stay unstored. */
export function alarms(stack: Stack, { parked, deadLetters }: Queues): void {
  alarm(stack, 'ParkedTooLong', {
    metric: parked.metricApproximateAgeOfOldestMessage({ period: Duration.minutes(1), statistic: 'Maximum' }),
    threshold: 15 * 60, // four attempts to store it have failed
    description:
      'A delivery has waited for more than 15 minutes to be stored. See in the log of the redrive function why, and ' +
      'whether DynamoDB throttles or is down. It is tried again for eight hours, then goes to the dead-letter queue.',
  });
  alarm(stack, 'DeadLettered', {
    metric: deadLetters.metricApproximateNumberOfMessagesVisible({ period: Duration.minutes(1), statistic: 'Maximum' }),
    threshold: 0,
    description:
      'A genuine delivery was not understood, or could not be stored in eight hours. It is kept for 14 days. Look at ' +
      'it, mend the cause, and send it back to the parking queue: the README says how.',
  });
}

function alarm(
  stack: Stack,
  id: string,
  { metric, threshold, description }: { metric: Metric; threshold: number; description: string },
): void {
  new Alarm(stack, id, {
    metric,
    threshold,
    alarmDescription: description,
    comparisonOperator: ComparisonOperator.GREATER_THAN_THRESHOLD,
    evaluationPeriods: 1,
    treatMissingData: TreatMissingData.NOT_BREACHING, // an idle queue reports nothing
  });
}
