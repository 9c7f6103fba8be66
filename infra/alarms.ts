import { Aws, Duration, Token } from 'aws-cdk-lib';
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
import { Topic } from 'aws-cdk-lib/aws-sns';
import { EmailSubscription } from 'aws-cdk-lib/aws-sns-subscriptions';
import type { Construct } from 'constructs';
import { CHAT_TIMEOUT_MS } from '../lambda/limits.ts';
import { OUTCOMES, type Outcome } from '../lambda/outcomes.ts';
import { acknowledge } from './findings.ts';
import { deliveryMetric, SLOW_REPLY_MS, type Watched } from './monitoring.ts';
import type { Settings } from './settings.ts';

/** More wrong signatures than that in five minutes are no accident. */
const MAX_BAD_SIGNATURES = 10;
/** More deliveries for another app than that in five minutes are no stranger's. */
const MAX_WRONG_APPS = 10;
/** Lambda tries for 12 hours; what takes longer than this does not pass by itself. */
const MAX_PUBLISHING_DELAY = Duration.minutes(15);
/** Strangers who try other paths are answered 404: a few are always about. */
const MAX_CLIENT_ERRORS = 10;

export interface Advice {
  /** How soon people must act. */
  act: 'at once' | 'today' | 'this week';
  /** What has happened, and what that costs. */
  means: string;
  /** What to do first. */
  first: string;
}

/** What each alarm means, and what to do first: the alarm's own description. The most urgent first. */
export const ADVICE = {
  NotKept: {
    act: 'at once',
    means:
      'Neither DynamoDB nor SQS took a delivery, or the token could not be read. With outcome failed it was answered ' +
      '503 and is lost, unless Chat repeats it; with outcome ignored it held nothing to store, but the next one may.',
    first:
      "in the receiver's log, the lines with reason notKept say which service failed and how; then look at the AWS " +
      'Health Dashboard, and compare the table with the Chat console.',
  },
  ApiServerErrors: {
    act: 'at once',
    means: 'Chat was answered 5xx.',
    first:
      'if NotKept has gone off as well, go on there. If not, the receiver died, timed out or could not start: see the ' +
      "last lines of its log, and the access log's integrationError.",
  },
  BadSignatures: {
    act: 'at once',
    means: `More than ${MAX_BAD_SIGNATURES} deliveries of any command in five minutes had a wrong signature.`,
    first:
      'was the token changed in the Chat console or in Secrets Manager alone? Then deliveries are being lost: make both ' +
      'the same. If not, somebody tries signatures: the access log has the addresses; consider allowedCidrs.',
  },
  ExpiredSignatures: {
    act: 'at once',
    means:
      'A delivery had a right signature, but a RequestTime more than 60 seconds from now. With outcome refused it is ' +
      'lost; with outcome ignored it held nothing to store, but the next one may.',
    first:
      "compare the delivery's time in the receiver's log with a good clock, and tell Tencent's support where theirs is " +
      'wrong. A single one may be a delivery that was delayed on its way, or sent again by somebody who saw its URL.',
  },
  WrongApps: {
    act: 'at once',
    means: `More than ${MAX_WRONG_APPS} deliveries in five minutes were for another SDKAppID than the one deployed.`,
    first:
      "is sdkAppId that of the app whose console has this webhook's URL? If not, deliveries are being lost: deploy with " +
      'the right one. If it is, another app has this URL, or strangers call it: the access log has the addresses.',
  },
  ProbeFailed: {
    act: 'at once',
    means:
      `The probe, which calls the webhook by its public URL as Chat does, was twice in a row not answered OK within ` +
      `${CHAT_TIMEOUT_MS} ms, or could not read the token. Chat's deliveries are likely to be lost.`,
    first:
      "the probe's log says what it got. No answer: the domain's DNS record or its certificate; 429: the API is " +
      'throttled; 5xx: go on as with ApiServerErrors; 120003: the receiver has another token.',
  },
  ...functionAdvice('Receiver', 'at once', 'The delivery is lost, unless Chat repeats it.'),
  DeadLettered: {
    act: 'today',
    means:
      'A genuine delivery was not understood, or could not be stored in eight and a half hours. It is kept for 14 days. ' +
      'While it lies there, a further one raises no new alarm.',
    first: 'look at it as infra/README.md says under "The dead-letter queue"; correct the cause, and send it back.',
  },
  ParkedTooLong: {
    act: 'today',
    means:
      'For 15 of the last 20 minutes there were deliveries that wait to be stored. Each is tried for eight and a half ' +
      'hours, then goes to the dead-letter queue.',
    first: "see in the redrive's log why, and whether DynamoDB throttles or is down.",
  },
  WrongAddresses: {
    act: 'today',
    means:
      'A delivery for this app came from an address that is not in allowedCidrs. If its signature was right and its ' +
      'command is one that is stored here, it lies in the dead-letter queue. Without authentication it is lost.',
    first:
      'ask Chat for its addresses anew (infra/README.md, "An allow-list", says how), deploy, and send back what lies there.',
  },
  ApiClientErrors: {
    act: 'today',
    means: `More than ${MAX_CLIENT_ERRORS} requests in five minutes were answered 4xx.`,
    first:
      'see their status in the access log. 404 is a wrong path: strangers, or the URL in the Chat console; 429 means ' +
      "that Chat's deliveries are throttled and lost.",
  },
  Silence: {
    act: 'today',
    means: 'No genuine delivery came for the hours of silenceHours, or none yet since the first deployment.',
    first:
      'see on the dashboard whether deliveries are refused. If none come at all, check the URL, the event and the ' +
      'authentication in the Chat console.',
  },
  ...functionAdvice(
    'Redrive',
    'today',
    'Parked deliveries stay in their queue for half an hour, then go to the dead-letter queue.',
  ),
  PublishingDelayed: {
    act: 'today',
    means:
      `Changes of official accounts are stored, but their events are more than ${MAX_PUBLISHING_DELAY.toMinutes()} minutes ` +
      'late. Lambda goes on trying. After 12 hours the changes go to the queue for unpublished changes.',
    first:
      "the lines publish in the publisher's log say which reason EventBridge gives. Correct it: publishing then goes on " +
      'by itself.',
  },
  ...functionAdvice('Publisher', 'today', 'Nothing is lost: Lambda tries again for 12 hours.'),
  NotPublished: {
    act: 'this week',
    means:
      'A change of an official account is stored, but was not published, and will not be by itself. While it lies in its ' +
      'queue, a further one raises no new alarm.',
    first:
      'look at the message, correct the cause, and publish the account by hand, as infra/README.md says under ' +
      '"Publishing again".',
  },
  SlowReplies: {
    act: 'this week',
    means:
      `One reply in a hundred, or the only one, took longer than ${SLOW_REPLY_MS} ms; Chat stops waiting after ` +
      `${CHAT_TIMEOUT_MS} (what is stored by then stays stored).`,
    first:
      'see on the dashboard whether it is cold starts (set provisionedConcurrency) or the time to store (DynamoDB).',
  },
} as const satisfies Record<string, Advice>;

type AlarmName = keyof typeof ADVICE;

type Rule = Pick<AlarmProps, 'metric'> & Partial<AlarmProps>;

export interface AlarmsProps {
  topic: Topic;
  watched: Watched;
  settings: Pick<Settings, 'allowedCidrs' | 'silenceHours' | 'probeMinutes'>;
}

/**
 * Creates the alarms, which tell the topic where something is wrong.
 *
 * @returns the alarms, the most urgent first.
 */
export function alarms(scope: Construct, { topic, watched, settings }: AlarmsProps): Alarm[] {
  const { api, functions, queues, probe } = watched;
  const now = { period: Duration.minutes(1), statistic: Stats.MAXIMUM };
  const sum = { period: Duration.minutes(5), statistic: Stats.SUM };
  const oneMinute = { period: Duration.minutes(1), statistic: Stats.SUM };

  const rules: Record<AlarmName, Rule | undefined> = {
    NotKept: { metric: deliveryMetric(watched, { reason: 'notKept' }, oneMinute) },
    ApiServerErrors: { metric: api.metricServerError(oneMinute) },
    DeadLettered: { metric: queues.deadLetters.metricApproximateNumberOfMessagesVisible(now) },
    ParkedTooLong: {
      // Not the age of the oldest message: SQS leaves those out of it that were received three times.
      metric: total('Deliveries parked', now.period, {
        visible: queues.parked.metricApproximateNumberOfMessagesVisible(now),
        hidden: queues.parked.metricApproximateNumberOfMessagesNotVisible(now),
      }),
      datapointsToAlarm: 15, // four attempts to store a delivery have failed
      evaluationPeriods: 20, // the newest minutes may have the value of FILL, since SQS reports late
    },
    SlowReplies: {
      metric: api.metricLatency({ period: Duration.minutes(5), statistic: Stats.p(99) }),
      threshold: SLOW_REPLY_MS,
    },
    BadSignatures: {
      metric: deliveryMetric(watched, { reason: 'badSignature' }, sum),
      threshold: MAX_BAD_SIGNATURES,
    },
    ExpiredSignatures: { metric: deliveryMetric(watched, { reason: 'expired' }, sum) },
    WrongApps: { metric: deliveryMetric(watched, { reason: 'wrongApp' }, sum), threshold: MAX_WRONG_APPS },
    WrongAddresses:
      settings.allowedCidrs === undefined
        ? undefined
        : { metric: deliveryMetric(watched, { reason: 'wrongAddress' }, sum) },
    ApiClientErrors: { metric: api.metricClientError(sum), threshold: MAX_CLIENT_ERRORS },
    ProbeFailed: probe && {
      metric: probe.metricErrors({ period: Duration.minutes(settings.probeMinutes ?? 1), statistic: Stats.SUM }),
      treatMissingData: TreatMissingData.IGNORE, // between two probes it stays as it is
    },
    ReceiverErrors: { metric: functions.Receiver.metricErrors(oneMinute) },
    ReceiverThrottled: { metric: functions.Receiver.metricThrottles(oneMinute) },
    RedriveErrors: { metric: functions.Redrive.metricErrors(oneMinute) },
    RedriveThrottled: { metric: functions.Redrive.metricThrottles(oneMinute) },
    PublishingDelayed: {
      // Records that the publisher reports as failed don't count as its errors: only their age shows them.
      metric: functions.Publisher.metric('IteratorAge', { period: Duration.minutes(5), statistic: Stats.MAXIMUM }),
      threshold: MAX_PUBLISHING_DELAY.toMilliseconds(),
    },
    PublisherErrors: { metric: functions.Publisher.metricErrors(oneMinute) },
    PublisherThrottled: { metric: functions.Publisher.metricThrottles(oneMinute) },
    NotPublished: { metric: queues.unpublished.metricApproximateNumberOfMessagesVisible(now) },
    Silence: settings.silenceHours === undefined ? undefined : silence(watched, settings.silenceHours),
  };

  return (Object.keys(ADVICE) as AlarmName[]).flatMap((name) => {
    const rule = rules[name];
    if (rule === undefined) return [];
    const { act, means, first } = ADVICE[name];
    const alarm = new Alarm(scope, name, {
      alarmDescription: `${means} Act ${act}. First: ${first}`,
      threshold: 0,
      evaluationPeriods: 1,
      comparisonOperator: ComparisonOperator.GREATER_THAN_THRESHOLD,
      treatMissingData: TreatMissingData.NOT_BREACHING, // what is idle reports nothing
      ...rule,
    });
    alarm.addAlarmAction(new SnsAction(topic));
    return [alarm];
  });
}

export interface AlarmTopicProps {
  serviceName: string;
  encryptionKey: IKey | undefined;
  /** An address that is subscribed. */
  email: string | undefined;
}

/** Creates the topic that every alarm is told to. */
export function alarmTopic(scope: Construct, { serviceName, encryptionKey, email }: AlarmTopicProps): Topic {
  const displayName = `${serviceName} alarms`;
  const topic = new Topic(scope, 'AlarmTopic', {
    displayName: Token.isUnresolved(displayName) ? displayName : displayName.slice(-100), // SNS takes no more
    enforceSSL: true,
    ...(encryptionKey !== undefined && { masterKey: encryptionKey }),
  });
  // With a policy of its own, as for TLS, a topic loses the one that lets the account's alarms publish.
  topic.addToResourcePolicy(
    new PolicyStatement({
      principals: [new ServicePrincipal('cloudwatch.amazonaws.com')],
      actions: ['sns:Publish'],
      resources: [topic.topicArn],
      conditions: { StringEquals: { 'aws:SourceAccount': Aws.ACCOUNT_ID } },
    }),
  );
  if (email !== undefined) topic.addSubscription(new EmailSubscription(email));
  acknowledge(
    topic,
    'Serverless::Serverless-SNSRedrivePolicy',
    'an alarm whose mail is lost still stands in CloudWatch',
  );
  return topic;
}

function functionAdvice<Name extends string>(name: Name, act: Advice['act'], loss: string) {
  return {
    [`${name}Errors`]: {
      act,
      means: `The function ${name} failed, crashed or timed out. ${loss}`,
      first: 'see the last lines of its log. After a deployment, deploy the version before.',
    },
    [`${name}Throttled`]: {
      act,
      means: `Lambda had no free instance for the function ${name}. ${loss}`,
      first: "look for what else uses the account's concurrency in this region, and ask AWS for a higher quota.",
    },
  } as Record<`${Name}Errors` | `${Name}Throttled`, Advice>;
}

/** What tells that Chat calls: all that was not refused. */
const GENUINE = Object.entries(OUTCOMES).flatMap(([outcome, { provesTraffic }]) =>
  provesTraffic ? [outcome as Outcome] : [],
);

function silence(watched: Watched, hours: number): Rule {
  const period = Duration.hours(1);
  const metrics = GENUINE.map((outcome) => [outcome, deliveryMetric(watched, { outcome }, { period })]);
  return {
    metric: total('Genuine deliveries', period, Object.fromEntries(metrics)),
    threshold: 1,
    comparisonOperator: ComparisonOperator.LESS_THAN_THRESHOLD,
    evaluationPeriods: hours,
    treatMissingData: TreatMissingData.BREACHING, // nothing is reported where nothing comes
  };
}

/** Adds metrics up. With `+`, one of them that was never written would leave the whole sum without data. */
function total(label: string, period: Duration, usingMetrics: Record<string, IMetric>): MathExpression {
  const filled = Object.keys(usingMetrics).map((id) => `FILL(${id}, 0)`);
  return new MathExpression({ expression: `SUM([${filled.join()}])`, label, period, usingMetrics });
}
