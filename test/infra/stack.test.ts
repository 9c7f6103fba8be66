import { beforeAll, describe, expect, test } from '@jest/globals';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { webhookApp } from '../../infra/app.ts';
import { featureFlags } from '../../infra/local/deployment.ts';

function synthesized(context: Record<string, string> = {}): Template {
  return Template.fromStack(webhookApp({ context: { ...featureFlags(), sdkAppId: '1400000000', ...context } }).stack);
}

type Statement = { Action: string | string[]; Resource: unknown; Effect: string };

/** Every action that the role of a function has, each with what it may be done to. */
function permissions(template: Template, functionId: 'Receiver' | 'Redrive'): [string, string][] {
  const logicalId = (value: unknown) => /"([A-Z]\w+?)[\dA-F]{8}"/.exec(JSON.stringify(value))?.[1] ?? String(value);
  return Object.entries(template.findResources('AWS::IAM::Policy'))
    .filter(([id]) => id.startsWith(functionId))
    .flatMap(([, { Properties }]) => Properties.PolicyDocument.Statement as Statement[])
    .flatMap(({ Action, Resource }) =>
      [Action].flat().flatMap((action) => [Resource].flat().map((to): [string, string] => [action, logicalId(to)])),
    )
    .toSorted((a, b) => a.join().localeCompare(b.join()));
}

describe('the stack', () => {
  let template: Template;
  beforeAll(() => {
    template = synthesized();
  });

  test('lets the receiver write, send and read its token, on the very resources, and nothing else', () => {
    expect(permissions(template, 'Receiver')).toEqual([
      ['dynamodb:UpdateItem', 'OfficialAccounts'],
      ['logs:CreateLogStream', 'ReceiverLog'],
      ['logs:PutLogEvents', 'ReceiverLog'],
      ['secretsmanager:GetSecretValue', 'WebhookToken'],
      ['sqs:SendMessage', 'DeadLetters'],
      ['sqs:SendMessage', 'Parked'],
      ['xray:PutTelemetryRecords', '*'],
      ['xray:PutTraceSegments', '*'],
    ]);
  });

  test('lets the redrive receive, delete and write, on the very resources, and nothing else', () => {
    expect(permissions(template, 'Redrive')).toEqual([
      ['dynamodb:UpdateItem', 'OfficialAccounts'],
      ['logs:CreateLogStream', 'RedriveLog'],
      ['logs:PutLogEvents', 'RedriveLog'],
      ['sqs:ChangeMessageVisibility', 'Parked'],
      ['sqs:DeleteMessage', 'Parked'],
      ['sqs:GetQueueAttributes', 'Parked'],
      ['sqs:ReceiveMessage', 'Parked'],
      ['xray:PutTelemetryRecords', '*'],
      ['xray:PutTraceSegments', '*'],
    ]);
  });

  test('has no other roles, and none with more than its policy', () => {
    template.resourceCountIs('AWS::IAM::Role', 2);
    template.resourceCountIs('AWS::IAM::Policy', 2);
    template.allResourcesProperties('AWS::IAM::Role', { ManagedPolicyArns: Match.absent(), Policies: Match.absent() });
  });

  test('keeps what is parked for 14 days, encrypted and over TLS only', () => {
    template.resourceCountIs('AWS::SQS::Queue', 2);
    template.allResourcesProperties('AWS::SQS::Queue', {
      QueueName: Match.absent(),
      MessageRetentionPeriod: 14 * 86_400,
      SqsManagedSseEnabled: true,
    });
    template.resourceCountIs('AWS::SQS::QueuePolicy', 2);
    template.allResourcesProperties('AWS::SQS::QueuePolicy', {
      PolicyDocument: {
        Statement: [
          Match.objectLike({
            Effect: 'Deny',
            Action: 'sqs:*',
            Condition: { Bool: { 'aws:SecureTransport': 'false' } },
          }),
        ],
      },
    });
  });

  test('tries what is parked ten times, each message for itself, hidden for as long as a try may take', () => {
    template.hasResourceProperties('AWS::SQS::Queue', {
      VisibilityTimeout: 6 * 30,
      RedrivePolicy: { maxReceiveCount: 10 },
    });
    template.hasResourceProperties('AWS::Lambda::Function', { Timeout: 30 });
    template.hasResourceProperties('AWS::Lambda::EventSourceMapping', {
      FunctionResponseTypes: ['ReportBatchItemFailures'],
    });
  });

  test('has an alarm for deliveries that stay unstored, hidden ones included, and one for dead letters', () => {
    template.resourceCountIs('AWS::CloudWatch::Alarm', 2);
    const above = { ComparisonOperator: 'GreaterThanThreshold', Threshold: 0, TreatMissingData: 'notBreaching' };
    const metric = (name: string) =>
      Match.objectLike({ MetricStat: Match.objectLike({ Metric: Match.objectLike({ MetricName: name }) }) });
    template.hasResourceProperties('AWS::CloudWatch::Alarm', {
      ...above,
      EvaluationPeriods: 15,
      Metrics: Match.arrayWith([
        Match.objectLike({ Expression: 'visible + hidden' }),
        metric('ApproximateNumberOfMessagesVisible'),
        metric('ApproximateNumberOfMessagesNotVisible'),
      ]),
    });
    template.hasResourceProperties('AWS::CloudWatch::Alarm', {
      ...above,
      EvaluationPeriods: 1,
      MetricName: 'ApproximateNumberOfMessagesVisible',
      Dimensions: [
        { Name: 'QueueName', Value: { 'Fn::GetAtt': [Match.stringLikeRegexp('^DeadLetters'), 'QueueName'] } },
      ],
    });
  });

  test('keeps the table whatever happens to the stack', () => {
    template.hasResource('AWS::DynamoDB::GlobalTable', {
      DeletionPolicy: 'Retain',
      UpdateReplacePolicy: 'Retain',
      Properties: {
        TableName: Match.absent(),
        BillingMode: 'PAY_PER_REQUEST',
        Replicas: [
          {
            DeletionProtectionEnabled: true,
            PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
          },
        ],
      },
    });
  });

  test('has one route, POST /webhook, throttled, and logged without the query string', () => {
    template.resourceCountIs('AWS::ApiGatewayV2::Route', 1);
    template.hasResourceProperties('AWS::ApiGatewayV2::Route', { RouteKey: 'POST /webhook' });
    template.hasResourceProperties('AWS::ApiGatewayV2::Stage', {
      StageName: '$default',
      DefaultRouteSettings: { ThrottlingRateLimit: 1000, ThrottlingBurstLimit: 2000 },
    });
    template.hasResourceProperties('AWS::ApiGatewayV2::Integration', { PayloadFormatVersion: '2.0' });

    const [{ Properties } = { Properties: undefined }] = Object.values(
      template.findResources('AWS::ApiGatewayV2::Stage'),
    );
    const format = JSON.parse(Properties.AccessLogSettings.Format);
    // Also none that the caller words: API Gateway does not escape quotes.
    for (const variable of Object.values(format)) {
      expect(variable).not.toMatch(/query|path|userAgent|header|domain/i);
    }
  });

  test('runs the function as Chat needs it', () => {
    template.hasResourceProperties('AWS::Lambda::Function', {
      Runtime: 'nodejs24.x',
      Architectures: ['arm64'],
      Timeout: 10,
      Handler: 'index.handler',
      TracingConfig: { Mode: 'Active' },
      LoggingConfig: { LogGroup: Match.anyValue() },
    });
    template.allResourcesProperties('AWS::Logs::LogGroup', { RetentionInDays: 90 });
  });

  test('has not changed otherwise, but for the bundle’s hash', () => {
    const text = JSON.stringify(template.toJSON()['Resources']).replaceAll(/[\da-f]{64}(?=\.zip)/g, 'HASH');
    expect(JSON.parse(text)).toMatchSnapshot();
  });
});

describe('configured otherwise', () => {
  test('authentication=off has no secret, no right to read one and no command to show it', () => {
    const template = synthesized({ authentication: 'off' });
    template.resourceCountIs('AWS::SecretsManager::Secret', 0);
    expect(permissions(template, 'Receiver')).toEqual([
      ['dynamodb:UpdateItem', 'OfficialAccounts'],
      ['logs:CreateLogStream', 'ReceiverLog'],
      ['logs:PutLogEvents', 'ReceiverLog'],
      ['sqs:SendMessage', 'Parked'],
      ['xray:PutTelemetryRecords', '*'],
      ['xray:PutTraceSegments', '*'],
    ]);
    expect(Object.keys(template.findOutputs('*'))).toEqual([
      'WebhookUrl',
      'TableName',
      'ParkingQueueUrl',
      'DeadLetterQueueUrl',
    ]);
    template.hasResourceProperties('AWS::Lambda::Function', {
      Environment: { Variables: { AUTHENTICATION: 'off', TOKEN_SECRET_ARN: Match.absent() } },
    });
  });

  test('allowedCidrs reach the function', () => {
    synthesized({ allowedCidrs: '198.51.100.0/24,2001:db8::/32' }).hasResourceProperties('AWS::Lambda::Function', {
      Environment: { Variables: { ALLOWED_CIDRS: '198.51.100.0/24,2001:db8::/32' } },
    });
  });
});
