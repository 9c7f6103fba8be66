import { Annotations, Aws, Duration } from 'aws-cdk-lib';
import {
  Alarm,
  ComparisonOperator,
  MathExpression,
  Stats,
  TreatMissingData,
  type AlarmProps,
  type IMetric,
} from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import { PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { Topic, type ITopic } from 'aws-cdk-lib/aws-sns';
import { EmailSubscription } from 'aws-cdk-lib/aws-sns-subscriptions';
import type { Construct } from 'constructs';
import { CHAT_TIMEOUT_MS } from '../lambda/limits.ts';
import { FORWARD_OUTCOMES, type ForwardOutcome } from '../lambda/metrics.ts';
import { OUTCOMES } from '../lambda/outcomes.ts';
import { acknowledge } from './findings.ts';
import { deliveryMetric, forwardMetric, outcomesOf, SLOW_REPLY_MS, type Monitored } from './monitoring.ts';
import { displayNameOf } from './names.ts';
import type { Settings } from './settings.ts';

/** More wrong signatures than this in five minutes are not an accident. */
const MAX_BAD_SIGNATURES = 10;
/** More deliveries for another app than this in five minutes do not come from a few stray requests. */
const MAX_WRONG_APPS = 10;
/** Fewer failures in five minutes are restarts of the backend. */
const MAX_FORWARD_FAILURES = 5;
/** A longer delay does not end by itself. Lambda retries for 12 hours. */
const MAX_PUBLISHING_DELAY = Duration.minutes(15);
/** Any public URL gets a few requests for unknown paths, which API Gateway answers with 404. */
const MAX_CLIENT_ERRORS = 10;

/** What the description of an alarm says. Its section in infra/README.md has the details. */
export interface Advice {
  /** How soon people must act. */
  urgency: 'at once' | 'today' | 'this week';
  /** What has happened, and what it costs. */
  meaning: string;
  /** What to do first. */
  firstStep: string;
}

/** The advice of each alarm, the most urgent first. */
export const ADVICE = {
  NotKept: {
    urgency: 'at once',
    meaning:
      'A delivery could be neither stored nor queued, or the token could not be read. ' +
      'The delivery is lost unless Chat sends it again.',
    firstStep: "Find the lines with reason notKept in the receiver's log. They name the service that failed.",
  },
  ApiServerErrors: {
    urgency: 'at once',
    meaning: 'Chat got a reply with status 5xx. The delivery may be lost.',
    firstStep: "If NotKept is on as well, follow its runbook. Otherwise read the last lines of the receiver's log.",
  },
  BadSignatures: {
    urgency: 'at once',
    meaning: `More than ${MAX_BAD_SIGNATURES} deliveries in five minutes had a wrong signature. Every callback command counts.`,
    firstStep:
      'Compare the token in the Chat console with the one in Secrets Manager. If they differ, deliveries are being lost.',
  },
  ExpiredSignatures: {
    urgency: 'at once',
    meaning:
      "A delivery had a correct signature, but its RequestTime was more than 60 seconds away from API Gateway's clock. " +
      'With outcome rejected, the delivery is lost.',
    firstStep: "Find the lines with reason expired in the receiver's log, and compare their time with a correct clock.",
  },
  WrongApps: {
    urgency: 'at once',
    meaning: `More than ${MAX_WRONG_APPS} deliveries in five minutes were for another SDKAppID than the deployed one.`,
    firstStep:
      "Compare sdkAppId with the SDKAppID of the app whose console has this webhook's URL. " +
      'If they differ, deliveries are being lost.',
  },
  ProbeFailed: {
    urgency: 'at once',
    meaning:
      `The probe got no OK from the webhook's public URL within ${CHAT_TIMEOUT_MS} ms, twice in a row, ` +
      "or could not read the token. Chat's deliveries are probably being lost.",
    firstStep: "Read what the probe got in the probe's log.",
  },
  ...functionAdvice('Receiver', 'at once', 'The delivery is lost unless Chat sends it again.'),
  ForwardLoop: {
    urgency: 'at once',
    meaning:
      'A forwarded delivery came back to this webhook, which answered it with 508. The backend of forwardUrl does not get ' +
      'the deliveries, or sends them on.',
    firstStep: 'Call forwardUrl yourself, and see which server answers.',
  },
  ForwardFailed: {
    urgency: 'at once',
    meaning:
      `More than ${MAX_FORWARD_FAILURES} forwarded deliveries in five minutes got no answer from the backend of forwardUrl, ` +
      'or an answer with a status other than 200.',
    firstStep:
      "Find the lines with outcome forwarded in the receiver's log. They contain backendStatus or forwardFailure.",
  },
  DeadLettered: {
    urgency: 'today',
    meaning:
      'An authentic delivery was rejected for its content or its address, or could not be stored within eight and a ' +
      'half hours. It stays in the dead-letter queue for 14 days. While the queue is not empty, a further delivery in it ' +
      'sends no new alarm.',
    firstStep: 'List the queue with npm run dead-letters.',
  },
  ParkedTooLong: {
    urgency: 'today',
    meaning:
      'In 15 of the last 20 minutes, deliveries were waiting to be stored. ' +
      'A delivery that cannot be stored within eight and a half hours goes to the dead-letter queue.',
    firstStep: "Find the reason in the redrive's log.",
  },
  WrongAddresses: {
    urgency: 'today',
    meaning: 'A delivery for this app came from an address outside allowedCidrs and was rejected.',
    firstStep: "Compare allowedCidrs with Chat's current addresses: npm run allow-list -- check.",
  },
  ApiClientErrors: {
    urgency: 'today',
    meaning: `API Gateway answered more than ${MAX_CLIENT_ERRORS} requests in five minutes with status 4xx. With 429, deliveries are lost.`,
    firstStep:
      'Look up the status codes in the access log. If the URL in the Chat console differs from WebhookUrl, even by a slash ' +
      'at its end, every delivery gets 404 and is lost.',
  },
  Silence: {
    urgency: 'today',
    meaning:
      'No authentic delivery has arrived for the number of hours in silenceHours, or since the first deployment.',
    firstStep: 'See on the dashboard whether deliveries arrive and are rejected.',
  },
  ...functionAdvice(
    'Redrive',
    'today',
    'Parked deliveries stay in their queue for half an hour. Then they go to the dead-letter queue.',
  ),
  PublishingDelayed: {
    urgency: 'today',
    meaning:
      `The events of stored changes are more than ${MAX_PUBLISHING_DELAY.toMinutes()} minutes late. Lambda retries for ` +
      '12 hours. Then the changes go to the queue for unpublished changes.',
    firstStep: "Find the lines publish in the publisher's log. They contain EventBridge's reason.",
  },
  ...functionAdvice('Publisher', 'today', 'Nothing is lost: Lambda retries for 12 hours.'),
  NotPublished: {
    urgency: 'this week',
    meaning:
      'A change is stored, but its event was not published, and nothing publishes it automatically. While the queue for ' +
      'unpublished changes is not empty, a further change in it sends no new alarm.',
    firstStep: 'Read the messages in the queue UnpublishedQueueUrl.',
  },
  SlowReplies: {
    urgency: 'this week',
    meaning: `One reply in a hundred, or a single reply, took more than ${SLOW_REPLY_MS} ms. Chat stops waiting after ${CHAT_TIMEOUT_MS} ms.`,
    firstStep: 'See on the dashboard whether cold starts or DynamoDB take the time.',
  },
} as const satisfies Record<string, Advice>;

type AlarmName = keyof typeof ADVICE;

type Rule = Pick<AlarmProps, 'metric'> & Partial<AlarmProps>;

export interface AlarmsProps {
  topic: ITopic;
  monitored: Monitored;
  settings: Pick<Settings, 'allowedCidrs' | 'silenceHours' | 'probeMinutes'>;
}

/**
 * Creates the alarms, which notify the topic.
 *
 * @returns The alarms, the most urgent first.
 */
export function alarms(scope: Construct, { topic, monitored, settings }: AlarmsProps): Alarm[] {
  const { api, functions, queues, probe } = monitored;
  const now = { period: Duration.minutes(1), statistic: Stats.MAXIMUM };
  const sum = { period: Duration.minutes(5), statistic: Stats.SUM };
  const oneMinute = { period: Duration.minutes(1), statistic: Stats.SUM };

  const rules: Record<AlarmName, Rule | undefined> = {
    NotKept: { metric: deliveryMetric(monitored, { reason: 'notKept' }, oneMinute) },
    ApiServerErrors: { metric: api.metricServerError(oneMinute) },
    DeadLettered: { metric: queues.deadLetters.metricApproximateNumberOfMessagesVisible(now) },
    ParkedTooLong: {
      // Not the age of the oldest message: SQS does not count messages that were received three times or more.
      metric: total('Deliveries parked', now.period, {
        visible: queues.parked.metricApproximateNumberOfMessagesVisible(now),
        hidden: queues.parked.metricApproximateNumberOfMessagesNotVisible(now),
      }),
      datapointsToAlarm: 15, // by then, four attempts to store a delivery have failed
      evaluationPeriods: 20, // SQS reports late, so the newest minutes may have the value of FILL
    },
    SlowReplies: {
      metric: api.metricLatency({ period: Duration.minutes(5), statistic: Stats.p(99) }),
      threshold: SLOW_REPLY_MS,
    },
    BadSignatures: {
      metric: deliveryMetric(monitored, { reason: 'badSignature' }, sum),
      threshold: MAX_BAD_SIGNATURES,
    },
    ExpiredSignatures: { metric: deliveryMetric(monitored, { reason: 'expired' }, sum) },
    WrongApps: { metric: deliveryMetric(monitored, { reason: 'wrongApp' }, sum), threshold: MAX_WRONG_APPS },
    WrongAddresses:
      settings.allowedCidrs === undefined
        ? undefined
        : { metric: deliveryMetric(monitored, { reason: 'wrongAddress' }, sum) },
    ApiClientErrors: { metric: api.metricClientError(sum), threshold: MAX_CLIENT_ERRORS },
    ProbeFailed: probe && {
      metric: probe.metricErrors({ period: Duration.minutes(settings.probeMinutes ?? 1), statistic: Stats.SUM }),
      treatMissingData: TreatMissingData.IGNORE, // between two probes the state does not change
    },
    ReceiverErrors: { metric: functions.Receiver.metricErrors(oneMinute) },
    ReceiverThrottled: { metric: functions.Receiver.metricThrottles(oneMinute) },
    RedriveErrors: { metric: functions.Redrive.metricErrors(oneMinute) },
    RedriveThrottled: { metric: functions.Redrive.metricThrottles(oneMinute) },
    PublishingDelayed: {
      // The metric Errors does not count records that the publisher reports as failed. Only their age shows them.
      metric: functions.Publisher.metric('IteratorAge', { period: Duration.minutes(5), statistic: Stats.MAXIMUM }),
      threshold: MAX_PUBLISHING_DELAY.toMilliseconds(),
    },
    PublisherErrors: { metric: functions.Publisher.metricErrors(oneMinute) },
    PublisherThrottled: { metric: functions.Publisher.metricThrottles(oneMinute) },
    NotPublished: { metric: queues.unpublished.metricApproximateNumberOfMessagesVisible(now) },
    ...(monitored.forwards ? forwardRules(monitored) : { ForwardLoop: undefined, ForwardFailed: undefined }),
    Silence: settings.silenceHours === undefined ? undefined : silence(monitored, settings.silenceHours),
  };

  return (Object.keys(ADVICE) as AlarmName[]).flatMap((name) => {
    const rule = rules[name];
    if (rule === undefined) return [];
    const { meaning, urgency, firstStep } = ADVICE[name];
    const alarm = new Alarm(scope, name, {
      alarmDescription: `${meaning} Act ${urgency}. First step: ${firstStep} Runbook: infra/README.md, section ${name}.`,
      threshold: 0,
      evaluationPeriods: 1,
      comparisonOperator: ComparisonOperator.GREATER_THAN_THRESHOLD,
      treatMissingData: TreatMissingData.NOT_BREACHING, // an idle resource reports no data
      ...rule,
    });
    alarm.addAlarmAction(new SnsAction(topic));
    return [alarm];
  });
}

/** Creates the topic that every alarm notifies. */
export function createAlarmTopic(scope: Construct, encryptionKey: IKey | undefined): Topic {
  return new Topic(scope, 'AlarmTopic', {
    displayName: displayNameOf(scope),
    enforceSSL: true,
    ...(encryptionKey !== undefined && { masterKey: encryptionKey }),
  });
}

/** Subscribes a mail address to a topic. */
export function subscribe(topic: ITopic, email: string): void {
  const subscription = topic.addSubscription(new EmailSubscription(email));
  acknowledge(
    subscription,
    'Serverless::Serverless-SNSRedrivePolicy',
    'CloudWatch still shows the alarm if its mail is lost',
  );
}

/** Lets CloudWatch publish alarms to a topic. Its first statement replaces SNS's default policy, which allows it. */
export function permitAlarms(scope: Construct, topic: ITopic): void {
  const { statementAdded } = topic.addToResourcePolicy(
    new PolicyStatement({
      principals: [new ServicePrincipal('cloudwatch.amazonaws.com')],
      actions: ['sns:Publish'],
      resources: [topic.topicArn],
      conditions: { StringEquals: { 'aws:SourceAccount': Aws.ACCOUNT_ID } },
    }),
  );
  if (statementAdded) return;
  Annotations.of(scope).addWarningV2(
    'tencent-chat-webhook:imported-topic',
    'The policy of alarmTopic cannot be changed from this app. It must let cloudwatch.amazonaws.com publish; otherwise no ' +
      'alarm reaches the topic.',
  );
}

function functionAdvice<Name extends string>(name: Name, urgency: Advice['urgency'], loss: string) {
  return {
    [`${name}Errors`]: {
      urgency,
      meaning: `The function ${name} threw an error, crashed or timed out. ${loss}`,
      firstStep: 'Read the last lines of its log.',
    },
    [`${name}Throttled`]: {
      urgency,
      meaning: `Lambda throttled the function ${name}. ${loss}`,
      firstStep: 'Find out what else uses the concurrency of the account in this region.',
    },
  } as Record<`${Name}Errors` | `${Name}Throttled`, Advice>;
}

function silence(monitored: Monitored, hours: number): Rule {
  const period = Duration.hours(1);
  const metrics = outcomesOf(monitored)
    .filter((outcome) => OUTCOMES[outcome].provesTraffic)
    .map((outcome) => [outcome, deliveryMetric(monitored, { outcome }, { period })]);
  return {
    metric: total('Authentic deliveries', period, Object.fromEntries(metrics)),
    threshold: 1,
    comparisonOperator: ComparisonOperator.LESS_THAN_THRESHOLD,
    evaluationPeriods: hours,
    treatMissingData: TreatMissingData.BREACHING, // without deliveries there is no data
  };
}

function forwardRules(monitored: Monitored) {
  const period = Duration.minutes(5);
  const count = (outcome: ForwardOutcome) =>
    forwardMetric(monitored, outcome, { period, statistic: Stats.SAMPLE_COUNT });
  const failures = FORWARD_OUTCOMES.filter((outcome) => outcome !== 'ok').map((outcome) => [outcome, count(outcome)]);
  return {
    ForwardLoop: { metric: count('forwardLoop') },
    ForwardFailed: {
      metric: total('Forwarded deliveries without status 200', period, Object.fromEntries(failures)),
      threshold: MAX_FORWARD_FAILURES,
    },
  };
}

/** Returns the sum of metrics. With `+`, a single metric without data would leave the sum without data. */
function total(label: string, period: Duration, usingMetrics: Record<string, IMetric>): MathExpression {
  const filled = Object.keys(usingMetrics).map((id) => `FILL(${id}, 0)`);
  return new MathExpression({ expression: `SUM([${filled.join()}])`, label, period, usingMetrics });
}
