import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { webhookApp } from '../../infra/app.ts';
import { OPTIONS } from '../../infra/settings.ts';
import { featureFlags } from '../../infra/local/template.ts';

function synthesized(context: Record<string, string> = {}): Template {
  return Template.fromStack(webhookApp({ context: { ...featureFlags(), sdkAppId: '1400000000', ...context } }).stack);
}

type Statement = { Action: string | string[]; Resource: unknown; Effect: string };

/** Every action that the role of a function has, each with what it may be done to. */
function permissions(template: Template, functionId: 'Receiver' | 'Redrive' | 'Announce' | 'Pipe'): [string, string][] {
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

  test('lets the function that makes events do nothing but that', () => {
    expect(permissions(template, 'Announce')).toEqual([
      ['logs:CreateLogStream', 'AnnounceLog'],
      ['logs:PutLogEvents', 'AnnounceLog'],
      ['xray:PutTelemetryRecords', '*'],
      ['xray:PutTraceSegments', '*'],
    ]);
  });

  test('lets the pipe read the stream, make events and put them, on the very resources, and nothing else', () => {
    expect(permissions(template, 'Pipe')).toEqual([
      ['dynamodb:DescribeStream', 'OfficialAccounts'],
      ['dynamodb:GetRecords', 'OfficialAccounts'],
      ['dynamodb:GetShardIterator', 'OfficialAccounts'],
      ['dynamodb:ListStreams', 'OfficialAccounts'],
      ['events:PutEvents', 'Announcements'],
      ['lambda:InvokeFunction', 'Announce'],
      ['logs:CreateLogStream', 'PipeLog'],
      ['logs:PutLogEvents', 'PipeLog'],
      ['sqs:SendMessage', 'Unannounced'],
    ]);
    // The stream's ARN, not the table's.
    const policies = Object.entries(template.findResources('AWS::IAM::Policy'));
    const policy = policies.find(([id]) => id.startsWith('Pipe'));
    expect(JSON.stringify(policy)).toContain('"StreamArn"');
  });

  test('has no other roles, and none with more than its policy', () => {
    template.resourceCountIs('AWS::IAM::Role', 4);
    template.resourceCountIs('AWS::IAM::Policy', 4);
    template.allResourcesProperties('AWS::IAM::Role', { ManagedPolicyArns: Match.absent(), Policies: Match.absent() });
  });

  test('keeps what is parked for 14 days, encrypted and over TLS only', () => {
    template.resourceCountIs('AWS::SQS::Queue', 3);
    template.allResourcesProperties('AWS::SQS::Queue', {
      QueueName: Match.absent(),
      MessageRetentionPeriod: 14 * 86_400,
      SqsManagedSseEnabled: true,
    });
    template.resourceCountIs('AWS::SQS::QueuePolicy', 3);
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

  test('announces what the table’s stream holds, from its start, and sets aside what it can’t while that still exists', () => {
    template.hasResourceProperties('AWS::DynamoDB::GlobalTable', {
      StreamSpecification: { StreamViewType: 'NEW_AND_OLD_IMAGES' },
    });
    template.hasResource('AWS::Pipes::Pipe', {
      DependsOn: Match.arrayWith([Match.stringLikeRegexp('^PipeRoleDefaultPolicy')]),
      Properties: {
        Name: Match.absent(),
        SourceParameters: {
          DynamoDBStreamParameters: {
            StartingPosition: 'TRIM_HORIZON',
            BatchSize: 10,
            MaximumRecordAgeInSeconds: 43_200,
            OnPartialBatchItemFailure: 'AUTOMATIC_BISECT',
            DeadLetterConfig: { Arn: { 'Fn::GetAtt': [Match.stringLikeRegexp('^Unannounced'), 'Arn'] } },
          },
          FilterCriteria: { Filters: [{ Pattern: '{"eventName":["INSERT","MODIFY"]}' }] },
        },
        LogConfiguration: {
          Level: 'ERROR',
          CloudwatchLogsLogDestination: { LogGroupArn: { 'Fn::GetAtt': [Match.stringLikeRegexp('^PipeLog'), 'Arn'] } },
        },
        Enrichment: { 'Fn::GetAtt': [Match.stringLikeRegexp('^Announce'), 'Arn'] },
        Target: { 'Fn::GetAtt': [Match.stringLikeRegexp('^Announcements'), 'Arn'] },
        TargetParameters: {
          EventBridgeEventBusParameters: {
            Source: 'tencent.chat.official-accounts',
            DetailType: 'Official Account Created',
          },
        },
      },
    });
    template.resourceCountIs('AWS::Events::EventBus', 1);
  });

  test('tells every alarm to one topic, which takes it from this account’s CloudWatch over TLS', () => {
    const alarms = template.findResources('AWS::CloudWatch::Alarm');
    expect(Object.keys(alarms).map((id) => id.slice(0, -8))).toEqual([
      'NotKept',
      'ApiServerErrors',
      'DeadLettered',
      'ParkedTooLong',
      'SlowReplies',
      'BadSignatures',
      'ApiClientErrors',
      'ReceiverErrors',
      'ReceiverThrottled',
      'RedriveErrors',
      'RedriveThrottled',
      'AnnounceErrors',
      'AnnounceThrottled',
      'PipeFailed',
      'NotAnnounced',
    ]);
    for (const { Properties } of Object.values(alarms)) {
      expect(Properties.AlarmActions).toEqual([{ Ref: expect.stringMatching(/^AlarmTopic/) }]);
      expect(Properties.AlarmDescription).toMatch(/First: .{30}/);
      expect(Properties.AlarmDescription.length).toBeLessThanOrEqual(1024); // CloudWatch takes no more
      expect(Properties.TreatMissingData).toBe('notBreaching');
    }
    template.resourceCountIs('AWS::SNS::Topic', 1);
    template.resourceCountIs('AWS::SNS::Subscription', 0);
    template.hasResourceProperties('AWS::SNS::TopicPolicy', {
      PolicyDocument: {
        Statement: Match.arrayWith([
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
        ]),
      },
    });
  });

  test.each<[string, object]>([
    ['a delivery that was lost', { MetricName: 'Deliveries', Threshold: 0, Period: 60 }],
    ['slow replies', { MetricName: 'Latency', ExtendedStatistic: 'p99', Threshold: 1500 }],
    ['many wrong signatures', { MetricName: 'Deliveries', Threshold: 10, Period: 300, Statistic: 'Sum' }],
    ['failing requests', { MetricName: '5xx', Threshold: 0, Period: 60 }],
    ['strange requests', { MetricName: '4xx', Threshold: 10, Period: 300 }],
    ['a function that fails', { MetricName: 'Errors', Threshold: 0 }],
    ['a function that is throttled', { MetricName: 'Throttles', Threshold: 0 }],
  ])('has an alarm for %s', (_what, properties) => {
    template.hasResourceProperties('AWS::CloudWatch::Alarm', {
      ComparisonOperator: 'GreaterThanThreshold',
      EvaluationPeriods: 1,
      ...properties,
    });
  });

  test('has an alarm for deliveries that stay unstored, hidden ones included, and one for dead letters', () => {
    const above = { ComparisonOperator: 'GreaterThanThreshold', Threshold: 0, TreatMissingData: 'notBreaching' };
    const metric = (name: string) =>
      Match.objectLike({ MetricStat: Match.objectLike({ Metric: Match.objectLike({ MetricName: name }) }) });
    template.hasResourceProperties('AWS::CloudWatch::Alarm', {
      ...above,
      EvaluationPeriods: 15,
      Metrics: Match.arrayWith([
        Match.objectLike({ Expression: 'FILL(visible, 0) + FILL(hidden, 0)' }),
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
    const outputs = Object.keys(template.findOutputs('*'));
    expect(outputs).toContain('WebhookUrl');
    expect(outputs).not.toContain('ShowTokenCommand');
    template.hasResourceProperties('AWS::Lambda::Function', {
      Environment: { Variables: { AUTHENTICATION: 'off', TOKEN_SECRET_ARN: Match.absent() } },
    });
  });

  test('allowedCidrs reach the function', () => {
    synthesized({ allowedCidrs: '198.51.100.0/24,2001:db8::/32' }).hasResourceProperties('AWS::Lambda::Function', {
      Environment: { Variables: { ALLOWED_CIDRS: '198.51.100.0/24,2001:db8::/32' } },
    });
  });

  test('domainName has the one address, to which the URL leads', () => {
    const template = synthesized(OWN_DOMAIN);
    template.hasResourceProperties('AWS::ApiGatewayV2::Api', { DisableExecuteApiEndpoint: true });
    template.hasResourceProperties('AWS::ApiGatewayV2::DomainName', {
      DomainName: 'chat.example.com',
      DomainNameConfigurations: [Match.objectLike({ CertificateArn: OWN_DOMAIN.certificateArn })],
    });
    template.hasResourceProperties('AWS::ApiGatewayV2::ApiMapping', {
      ApiMappingKey: Match.absent(),
      Stage: '$default',
    });
    template.hasOutput('WebhookUrl', { Value: 'https://chat.example.com/webhook' });
    template.hasOutput('DomainTarget', { Value: { 'Fn::GetAtt': [Match.anyValue(), 'RegionalDomainName'] } });
  });

  test('without a domain the address is API Gateway’s', () => {
    const template = synthesized();
    template.hasResourceProperties('AWS::ApiGatewayV2::Api', { DisableExecuteApiEndpoint: false });
    template.resourceCountIs('AWS::ApiGatewayV2::DomainName', 0);
    expect(JSON.stringify(template.findOutputs('WebhookUrl'))).toMatch(/"ApiEndpoint".*"\/webhook"/);
  });

  test('provisionedConcurrency keeps instances warm, and these are what the route invokes', () => {
    const template = synthesized({ provisionedConcurrency: '2' });
    template.hasResourceProperties('AWS::Lambda::Alias', {
      ProvisionedConcurrencyConfig: { ProvisionedConcurrentExecutions: 2 },
    });
    template.hasResourceProperties('AWS::ApiGatewayV2::Integration', {
      IntegrationUri: { Ref: Match.stringLikeRegexp('^ReceiverAliaslive') },
    });
    template.hasResourceProperties('AWS::Lambda::Permission', {
      FunctionName: { Ref: Match.stringLikeRegexp('^ReceiverAliaslive') },
      Principal: 'apigateway.amazonaws.com',
    });
  });

  test('allowedCidrs have an alarm for a delivery that they refuse', () => {
    const template = synthesized({ allowedCidrs: '198.51.100.1' });
    template.hasResourceProperties('AWS::CloudWatch::Alarm', {
      MetricName: 'Deliveries',
      Dimensions: Match.arrayWith([{ Name: 'reason', Value: 'wrongAddress' }]),
      Threshold: 0,
    });
  });

  test('alarmEmail gets the alarms', () => {
    synthesized({ alarmEmail: 'ops@example.com' }).hasResourceProperties('AWS::SNS::Subscription', {
      Protocol: 'email',
      Endpoint: 'ops@example.com',
      TopicArn: { Ref: Match.stringLikeRegexp('^AlarmTopic') },
    });
  });

  test('silenceHours has an alarm for so many hours in which nothing was stored', () => {
    synthesized({ silenceHours: '36' }).hasResourceProperties('AWS::CloudWatch::Alarm', {
      ComparisonOperator: 'LessThanThreshold',
      Metrics: Match.arrayWith([
        Match.objectLike({ Expression: 'SUM([FILL(stored, 0),FILL(stale, 0),FILL(ignored, 0),FILL(parked, 0)])' }),
      ]),
      Threshold: 1,
      EvaluationPeriods: 36,
      TreatMissingData: 'breaching',
    });
  });

  test('two stages have nothing in common, their metrics included', () => {
    const [first, second] = ['test', 'production'].map(
      (stage) => webhookApp({ context: { ...featureFlags(), sdkAppId: '1', stage } }).stack,
    );
    expect([first!.stackName, second!.stackName]).toEqual(['TencentChatWebhook-test', 'TencentChatWebhook-production']);
    const template = Template.fromStack(first!);
    const named = JSON.stringify(template.toJSON()).match(
      /"(Table|Queue|Function|Role|Topic|Bus|Dashboard|Alarm|LogGroup|Secret|Pipe)?Name":"[^"]*"/g,
    );
    // The bus can't do without one: CDK makes it from the stack's. The others are of keys and dimensions.
    const physical = named?.filter((name) => !/^"Name":"\w{1,30}"$/.test(name));
    expect(physical).toEqual([expect.stringMatching('"Name":"TencentChatWebhooktestAnnouncements')]);
    template.hasResourceProperties('AWS::Lambda::Function', {
      Environment: { Variables: Match.objectLike({ SERVICE_NAME: 'TencentChatWebhook-test' }) },
    });
  });
});

const OWN_DOMAIN = {
  domainName: 'chat.example.com',
  certificateArn: 'arn:aws:acm:ap-southeast-1:123456789012:certificate/0a1b-2c3d',
};

/** Every option, and eight choices of them in which each two options are on, off, and each without the other. */
const CHOICES: Record<string, string>[] = [
  { authentication: 'off' },
  { allowedCidrs: '198.51.100.0/24,2001:db8::/32' },
  OWN_DOMAIN,
  { alarmEmail: 'ops@example.com' },
  { silenceHours: '24' },
  { provisionedConcurrency: '2' },
  { stage: 'test' },
];
const PAIRWISE = [0, 0b1010101, 0b0110011, 0b1100110, 0b0001111, 0b1011010, 0b0111100, 0b1101001];

interface Report {
  pluginName: string;
  violations: unknown[];
}

describe('cdk-nag finds nothing', () => {
  test('that every option takes part in', () => {
    const names = CHOICES.flatMap((choice) => Object.keys(choice));
    expect(['sdkAppId', ...names].toSorted()).toEqual(OPTIONS.toSorted());
  });

  test.each(PAIRWISE.map((bits) => Object.assign({}, ...CHOICES.filter((_, index) => (bits >> index) & 1))))(
    'with %j',
    (context) => {
      const outdir = mkdtempSync(join(tmpdir(), 'synth-'));
      try {
        const { app } = webhookApp({ outdir, context: { ...featureFlags(), sdkAppId: '1400000000', ...context } });
        app.synth();
        const { pluginReports } = JSON.parse(readFileSync(join(outdir, 'validation-report.json'), 'utf8'));
        const found = pluginReports.map(({ pluginName, violations }: Report) => [pluginName, violations]);
        expect(found).toEqual(
          expect.arrayContaining([
            ['AwsSolutions', []],
            ['Serverless', []],
          ]),
        );
        expect(pluginReports.flatMap(({ violations }: Report) => violations)).toEqual([]);
      } finally {
        rmSync(outdir, { recursive: true });
      }
    },
  );
});
