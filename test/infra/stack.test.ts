import { beforeAll, describe, expect, test } from '@jest/globals';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { ADVICE } from '../../infra/alarms.ts';
import { webhookApp } from '../../infra/app.ts';
import { OPTIONS } from '../../infra/settings.ts';
import { featureFlags } from '../../infra/local/synthesize.ts';
import { findings, NOTHING } from './nag.ts';
import { permissions, statements } from './permissions.ts';
import { synthesized } from './synthesized.ts';

const reason = (Value: string) => Match.arrayWith([{ Name: 'reason', Value }]);

/** Of 0.2.0. With another, CloudFormation would make a new resource and delete the old one, or leave it behind. */
const LOGICAL_IDS = {
  AlarmTopicD01E77F9: 'AWS::SNS::Topic',
  AlarmTopicPolicy309DB5F8: 'AWS::SNS::TopicPolicy',
  AnnouncementsFFD7F852: 'AWS::Events::EventBus',
  ApiF70053CD: 'AWS::ApiGatewayV2::Api',
  ApiPOSTwebhook9AE25E58: 'AWS::ApiGatewayV2::Route',
  ApiPOSTwebhookReceiverIntegration0047BDC7: 'AWS::ApiGatewayV2::Integration',
  ApiStage529D6240: 'AWS::ApiGatewayV2::Stage',
  DeadLettersBBF8BAAB: 'AWS::SQS::Queue',
  DeadLettersPolicy05322138: 'AWS::SQS::QueuePolicy',
  OfficialAccounts21073187: 'AWS::DynamoDB::GlobalTable',
  Parked6D7C062F: 'AWS::SQS::Queue',
  ParkedPolicyB4FFF44A: 'AWS::SQS::QueuePolicy',
  ReceiverC61A5DC1: 'AWS::Lambda::Function',
  Redrive07EFE77D: 'AWS::Lambda::Function',
  Unannounced2AF94E71: 'AWS::SQS::Queue',
  UnannouncedPolicy4272D498: 'AWS::SQS::QueuePolicy',
  WebhookToken988BAB69: 'AWS::SecretsManager::Secret',
};

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

  test('lets the publisher read the stream, put events and set aside, on the very resources, and nothing else', () => {
    expect(permissions(template, 'Publisher')).toEqual([
      ['dynamodb:DescribeStream', 'OfficialAccounts'],
      ['dynamodb:GetRecords', 'OfficialAccounts'],
      ['dynamodb:GetShardIterator', 'OfficialAccounts'],
      ['dynamodb:ListStreams', 'OfficialAccounts'],
      ['events:PutEvents', 'Announcements'],
      ['logs:CreateLogStream', 'PublisherLog'],
      ['logs:PutLogEvents', 'PublisherLog'],
      ['sqs:SendMessage', 'Unannounced'],
      ['xray:PutTelemetryRecords', '*'],
      ['xray:PutTraceSegments', '*'],
    ]);
    // The stream's ARN, not the table's.
    const ofTable = statements(template, 'Publisher').filter(({ Action }) => String(Action).startsWith('dynamodb:'));
    expect(ofTable.map(({ Resource }) => Resource)).toEqual([
      { 'Fn::GetAtt': [expect.stringMatching(/^OfficialAccounts/), 'StreamArn'] },
    ]);
  });

  test('has no other roles, and none with more than its policy', () => {
    template.resourceCountIs('AWS::IAM::Role', 3);
    template.resourceCountIs('AWS::IAM::Policy', 3);
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

  test('publishes what the table’s stream holds, from its start, and sets aside what it can’t while that still exists', () => {
    template.hasResourceProperties('AWS::DynamoDB::GlobalTable', {
      StreamSpecification: { StreamViewType: 'NEW_AND_OLD_IMAGES' },
    });
    template.hasResource('AWS::Lambda::EventSourceMapping', {
      DependsOn: Match.arrayWith([Match.stringLikeRegexp('^PublisherRoleDefaultPolicy')]),
      Properties: {
        EventSourceArn: { 'Fn::GetAtt': [Match.stringLikeRegexp('^OfficialAccounts'), 'StreamArn'] },
        FunctionName: { Ref: Match.stringLikeRegexp('^Publisher') },
        StartingPosition: 'TRIM_HORIZON',
        BatchSize: 100,
        BisectBatchOnFunctionError: true,
        FunctionResponseTypes: ['ReportBatchItemFailures'],
        MaximumRecordAgeInSeconds: 43_200,
        MaximumRetryAttempts: Match.absent(), // until the maximum age
        DestinationConfig: {
          OnFailure: { Destination: { 'Fn::GetAtt': [Match.stringLikeRegexp('^Unannounced'), 'Arn'] } },
        },
        FilterCriteria: { Filters: [{ Pattern: '{"eventName":["INSERT","MODIFY"]}' }] },
      },
    });
    template.resourceCountIs('AWS::Events::EventBus', 1);
    template.resourceCountIs('AWS::Pipes::Pipe', 0);
  });

  test('keeps what holds data, an address or a name of its own in an upgrade: their logical IDs are those of 0.2.0', () => {
    const types = /^AWS::(DynamoDB|SQS|Events|SecretsManager|ApiGatewayV2|SNS)::/;
    const resources = Object.entries<{ Type: string }>(template.toJSON()['Resources']);
    const kept = resources.filter(([id, { Type }]) => types.test(Type) || /^(Receiver|Redrive)[\dA-F]{8}$/.test(id));
    expect(Object.fromEntries(kept.map(([id, { Type }]) => [id, Type]))).toEqual(LOGICAL_IDS);
  });

  test('tells every alarm to one topic, which takes it from this account’s CloudWatch over TLS', () => {
    const alarms = template.findResources('AWS::CloudWatch::Alarm');
    const { WrongAddresses, Silence, ProbeFailed, ...always } = ADVICE; // the first three need an option
    expect(Object.keys(alarms).map((id) => id.slice(0, -8))).toEqual(Object.keys(always));
    for (const { Properties } of Object.values(alarms)) {
      expect(Properties.AlarmActions).toEqual([{ Ref: expect.stringMatching(/^AlarmTopic/) }]);
      expect(Properties.AlarmDescription).toMatch(/^\S.{15,}\. Act (at once|today|this week)\. First: .{30,}\.$/);
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
    ['many wrong signatures', { Dimensions: reason('badSignature'), Threshold: 10, Period: 300, Statistic: 'Sum' }],
    ['a delivery that is signed but too old', { Dimensions: reason('expired'), Threshold: 0, Period: 300 }],
    ['many deliveries for another app', { Dimensions: reason('wrongApp'), Threshold: 10, Period: 300 }],
    ['failing requests', { MetricName: '5xx', Threshold: 0, Period: 60 }],
    ['strange requests', { MetricName: '4xx', Threshold: 10, Period: 300 }],
    [
      'changes that wait to be published',
      { MetricName: 'IteratorAge', Threshold: 900_000, Period: 300, Statistic: 'Maximum' },
    ],
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
      EvaluationPeriods: 20,
      DatapointsToAlarm: 15, // the newest minutes may have the value of FILL
      Metrics: Match.arrayWith([
        Match.objectLike({ Expression: 'SUM([FILL(visible, 0),FILL(hidden, 0)])' }),
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
      Environment: { Variables: Match.objectLike({ AUTHENTICATION: 'token' }) }, // the receiver has it alone
    });
    template.allResourcesProperties('AWS::Logs::LogGroup', { RetentionInDays: 90 });
  });

  test('adds metrics up in a way that has a value although one of them was never written', () => {
    const expressions = Object.values(synthesized({ silenceHours: '1' }).findResources('AWS::CloudWatch::Alarm'))
      .flatMap(({ Properties }) => Properties.Metrics ?? [])
      .flatMap(({ Expression }) => Expression ?? []);
    expect(expressions).toHaveLength(2);
    for (const expression of expressions) expect(expression).toMatch(/^SUM\(\[(FILL\(\w+, 0\),?)+\]\)$/);
  });

  test('has a dashboard that begins with the alarms and the latest official accounts', () => {
    const [{ Properties } = { Properties: undefined }] = Object.values(
      template.findResources('AWS::CloudWatch::Dashboard'),
    );
    const text = JSON.stringify(Properties.DashboardBody).replaceAll('\\"', '"');
    expect([...text.matchAll(/"title":"([^"]+)"/g)].map(([, title]) => title)).toEqual([
      'Alarms',
      'Latest official accounts',
      'Deliveries by outcome',
      'What was wrong, by reason',
      'Time to reply, ms: Chat stops waiting at the red line',
      'DynamoDB’s time to store, ms',
      'Age of events at receipt, ms',
      'Cold starts, and the longest init, ms',
      'Parked and dead-lettered',
      'Errors and throttles',
      'Age of changes when published, ms',
    ]);
  });

  test('has outputs that name what they say', () => {
    const outputs = Object.entries(template.findOutputs('*')).map(([name, { Value }]) => [name, Value]);
    const withoutHash = JSON.stringify(outputs).replaceAll(/(?<="(?:Ref|Fn::GetAtt)":\[?"\w+)[\dA-F]{8}(?=")/g, '');
    expect(JSON.parse(withoutHash)).toEqual([
      ['WebhookUrl', { 'Fn::Join': ['', [{ 'Fn::GetAtt': ['Api', 'ApiEndpoint'] }, '/webhook']] }],
      [
        'ShowTokenCommand',
        {
          'Fn::Join': [
            '',
            [
              'aws secretsmanager get-secret-value --region ',
              { Ref: 'AWS::Region' },
              ' --secret-id ',
              { Ref: 'WebhookToken' },
              ' --query SecretString --output text',
            ],
          ],
        },
      ],
      ['ReceiverName', { Ref: 'Receiver' }],
      ['TableName', { Ref: 'OfficialAccounts' }],
      ['EventBusName', { Ref: 'Announcements' }],
      ['DashboardName', { Ref: 'Dashboard' }],
      ['AlarmTopicArn', { Ref: 'AlarmTopic' }],
      ['ParkingQueueUrl', { Ref: 'Parked' }],
      ['DeadLetterQueueUrl', { Ref: 'DeadLetters' }],
      ['UnpublishedQueueUrl', { Ref: 'Unannounced' }],
    ]);
  });

  test('has not changed otherwise, but for what the tests above look at', () => {
    const resources = JSON.stringify(template.toJSON()['Resources'], (name, value) =>
      ['DashboardBody', 'AlarmDescription', 'AlarmActions', 'TreatMissingData'].includes(name) ? undefined : value,
    );
    expect(JSON.parse(resources.replaceAll(/[\da-f]{64}(?=\.zip)/g, 'HASH'))).toMatchSnapshot();
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
    const template = synthesized({ ...OWN_DOMAIN, stage: 'ci' });
    template.hasResourceProperties('AWS::ApiGatewayV2::Api', { DisableExecuteApiEndpoint: true });
    template.hasResourceProperties('AWS::ApiGatewayV2::DomainName', {
      DomainName: 'chat.example.com',
      DomainNameConfigurations: [Match.objectLike({ CertificateArn: OWN_DOMAIN.certificateArn })],
    });
    template.hasResourceProperties('AWS::ApiGatewayV2::ApiMapping', {
      ApiMappingKey: Match.absent(),
      Stage: '$default',
    });
    // The mapping's logical ID in stacks that are deployed: with another, the domain would be cut off for a while.
    expect(Object.keys(template.findResources('AWS::ApiGatewayV2::ApiMapping'))).toEqual([
      'ApiStageTencentChatWebhookciDomainundefined27BD63C3',
    ]);
    template.hasOutput('WebhookUrl', { Value: 'https://chat.example.com/webhook' });
    template.hasOutput('DomainTarget', { Value: { 'Fn::GetAtt': [Match.anyValue(), 'RegionalDomainName'] } });
  });

  test('without a domain the address is API Gateway’s', () => {
    const template = synthesized();
    template.hasResourceProperties('AWS::ApiGatewayV2::Api', { DisableExecuteApiEndpoint: false });
    template.resourceCountIs('AWS::ApiGatewayV2::DomainName', 0);
    expect(JSON.stringify(template.findOutputs('WebhookUrl'))).toMatch(/"ApiEndpoint".*"\/webhook"/);
  });

  test('maxRequestsPerSecond is the rate limit, and half of its burst', () => {
    synthesized({ maxRequestsPerSecond: '10000' }).hasResourceProperties('AWS::ApiGatewayV2::Stage', {
      DefaultRouteSettings: { ThrottlingRateLimit: 10_000, ThrottlingBurstLimit: 20_000 },
    });
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
      /"(Table|Queue|Function|Role|Topic|Bus|Dashboard|Alarm|LogGroup|Secret)?Name":"[^"]*"/g,
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

/** Every option. */
const CHOICES: Record<string, string>[] = [
  { authentication: 'off' },
  { allowedCidrs: '198.51.100.0/24,2001:db8::/32' },
  OWN_DOMAIN,
  { alarmEmail: 'ops@example.com' },
  { silenceHours: '24' },
  { probeMinutes: '5' },
  { provisionedConcurrency: '2' },
  { maxRequestsPerSecond: '500' },
  { stage: 'test' },
];

const ROWS = [0, 1, 2, 3, 4];
/** Each three of five rows, ten in all. Two of them share a row, and each has one without the other. */
const TRIPLES = ROWS.flatMap((a) => ROWS.flatMap((b) => ROWS.flatMap((c) => (a < b && b < c ? [[a, b, c]] : []))));
/** Six combinations, in which each two options are once both on, both off, and each without the other. */
const PAIRWISE = [[], ...ROWS.map((row) => CHOICES.filter((_, index) => TRIPLES[index]!.includes(row)))];

describe('cdk-nag finds nothing', () => {
  test('that every option takes part in, and each two in every way', () => {
    const names = CHOICES.flatMap((choice) => Object.keys(choice));
    expect(['sdkAppId', ...names].toSorted()).toEqual(OPTIONS.toSorted());
    for (const one of CHOICES) {
      for (const other of CHOICES.filter((choice) => choice !== one)) {
        expect(new Set(PAIRWISE.map((row) => `${row.includes(one)} ${row.includes(other)}`)).size).toBe(4);
      }
    }
  });

  test.each(PAIRWISE.map((row): Record<string, string> => Object.assign({}, ...row)))('with %j', (context) => {
    const found = findings(
      (outdir) => webhookApp({ outdir, context: { ...featureFlags(), sdkAppId: '1400000000', ...context } }).app,
    );
    expect(found).toEqual(NOTHING);
    expect(Object.values(found).flat()).toEqual([]);
  });
});
