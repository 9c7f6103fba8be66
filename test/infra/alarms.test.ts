import { describe, expect, test } from '@jest/globals';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { ADVICE } from '../../infra/alarms.ts';
import { ALL_PARTS, readTemplate } from '../deployment.ts';

const template = Template.fromJSON(readTemplate(ALL_PARTS));
const alarms = Object.entries(template.findResources('AWS::CloudWatch::Alarm')).map(
  ([id, { Properties }]) => [id.slice(0, -8), Properties] as const,
);

test('there is an alarm for each advice, the most urgent first', () => {
  expect(alarms.map(([id]) => id)).toEqual(Object.keys(ADVICE));
  const ranks = Object.values(ADVICE).map(({ urgency }) => ['at once', 'today', 'this week'].indexOf(urgency));
  expect(ranks).toEqual(ranks.toSorted((a, b) => a - b));
});

test('options that are not set have no alarm', () => {
  const ids = Object.keys(Template.fromJSON(readTemplate()).findResources('AWS::CloudWatch::Alarm')).map((id) =>
    id.slice(0, -8),
  );
  const { WrongAddresses, Silence, ForwardLoop, ForwardFailed, ProbeFailed, ...always } = ADVICE;
  expect(ids).toEqual(Object.keys(always));
});

test.each(alarms)('%s has a description that CloudWatch accepts, and notifies the topic', (_id, properties) => {
  expect(properties.AlarmDescription.length).toBeLessThanOrEqual(1024);
  expect(properties.AlarmActions).toEqual([{ Ref: expect.stringMatching(/^AlarmTopic/) }]);
});

test('a sum has a value although one of its metrics was never written', () => {
  const expressions = alarms
    .flatMap(([, { Metrics = [] }]) => Metrics)
    .flatMap(({ Expression }: { Expression?: string }) => Expression ?? []);
  expect(expressions).toHaveLength(3);
  for (const expression of expressions) expect(expression).toMatch(/^SUM\(\[(FILL\(\w+, 0\),?)+\]\)$/);
});

describe('alarms of options', () => {
  test('silenceHours: so many hours without an outcome that proves that Chat can reach the receiver', () => {
    template.hasResourceProperties('AWS::CloudWatch::Alarm', {
      ComparisonOperator: 'LessThanThreshold',
      Metrics: Match.arrayWith([
        Match.objectLike({
          Expression: 'SUM([FILL(stored, 0),FILL(stale, 0),FILL(ignored, 0),FILL(forwarded, 0),FILL(parked, 0)])',
        }),
      ]),
      Threshold: 1,
      EvaluationPeriods: 24,
      TreatMissingData: 'breaching',
    });
  });

  test('forwardUrl: more than five deliveries in five minutes without an answer of status 200', () => {
    const [, properties] = alarms.find(([id]) => id === 'ForwardFailed')!;
    expect(properties).toMatchObject({
      Threshold: 5,
      ComparisonOperator: 'GreaterThanThreshold',
      EvaluationPeriods: 1,
    });
    const failures = properties.Metrics.slice(1).map(({ MetricStat }: any) => [
      MetricStat.Stat,
      MetricStat.Period,
      MetricStat.Metric.Dimensions[0],
    ]);
    expect(failures).toEqual(
      ['notOk', 'backendFailed', 'backendTimedOut', 'forwardLoop'].map((Value) => [
        'SampleCount',
        300,
        { Name: 'forward', Value },
      ]),
    );
  });

  test('forwardUrl: a delivery that comes back', () => {
    template.hasResourceProperties('AWS::CloudWatch::Alarm', {
      MetricName: 'ForwardTime',
      Statistic: 'SampleCount',
      Dimensions: Match.arrayWith([{ Name: 'forward', Value: 'forwardLoop' }]),
      Threshold: 0,
    });
  });

  test('allowedCidrs: a delivery that they reject', () => {
    template.hasResourceProperties('AWS::CloudWatch::Alarm', {
      MetricName: 'Deliveries',
      Dimensions: Match.arrayWith([{ Name: 'reason', Value: 'wrongAddress' }]),
      Threshold: 0,
    });
  });
});

test('only CloudWatch of this account may publish to the topic, and only over TLS', () => {
  template.hasResourceProperties('AWS::SNS::TopicPolicy', {
    PolicyDocument: {
      Statement: [
        Match.objectLike({
          Effect: 'Deny',
          Action: 'sns:Publish',
          Condition: { Bool: { 'aws:SecureTransport': 'false' } },
        }),
        Match.objectLike({
          Effect: 'Allow',
          Action: 'sns:Publish',
          Principal: { Service: 'cloudwatch.amazonaws.com' },
          Condition: { StringEquals: { 'aws:SourceAccount': { Ref: 'AWS::AccountId' } } },
        }),
      ],
    },
  });
});
