import { describe, expect, test } from '@jest/globals';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { readTemplate } from '../deployment.ts';
import { synthesized } from './synthesized.ts';

/** Logical IDs of 0.2.0. With another ID, CloudFormation creates a new resource and deletes or abandons the old one. */
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
  const template = Template.fromJSON(readTemplate());

  test('keeps the logical IDs of resources that hold data, an address or a name', () => {
    const types = /^AWS::(DynamoDB|SQS|Events|SecretsManager|ApiGatewayV2|SNS)::/;
    const resources = Object.entries<{ Type: string }>(template.toJSON()['Resources']);
    const kept = resources.filter(([id, { Type }]) => types.test(Type) || /^(Receiver|Redrive)[\dA-F]{8}$/.test(id));
    expect(Object.fromEntries(kept.map(([id, { Type }]) => [id, Type]))).toEqual(LOGICAL_IDS);
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

  test('has one route, POST /webhook, and an access log without the query string', () => {
    template.resourceCountIs('AWS::ApiGatewayV2::Route', 1);
    template.hasResourceProperties('AWS::ApiGatewayV2::Route', { RouteKey: 'POST /webhook' });
    const [{ Properties } = { Properties: undefined }] = Object.values(
      template.findResources('AWS::ApiGatewayV2::Stage'),
    );
    const format = JSON.parse(Properties.AccessLogSettings.Format);
    // Nor other texts of the caller, because API Gateway does not escape quotes.
    for (const variable of Object.values(format)) {
      expect(variable).not.toMatch(/query|path|userAgent|header|domain/i);
    }
  });

  test('has outputs that refer to the right resources', () => {
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

  test('has not changed otherwise', () => {
    const resources = JSON.stringify(template.toJSON()['Resources'], (name, value) =>
      ['DashboardBody', 'AlarmDescription', 'Metadata'].includes(name) ? undefined : value,
    );
    expect(JSON.parse(resources.replaceAll(/[\da-f]{64}(?=\.zip)/g, 'HASH'))).toMatchSnapshot();
  });
});

describe('configured otherwise', () => {
  test('authentication=off has no secret and no command to show it', () => {
    const template = Template.fromJSON(readTemplate({ authentication: 'off' }));
    template.resourceCountIs('AWS::SecretsManager::Secret', 0);
    template.hasResourceProperties('AWS::Lambda::Function', {
      Environment: { Variables: { AUTHENTICATION: 'off', TOKEN_SECRET_ARN: Match.absent() } },
    });
    const outputs = Object.keys(template.findOutputs('*'));
    expect(outputs).toContain('WebhookUrl');
    expect(outputs).not.toContain('ShowTokenCommand');
  });

  test('domainName: the URL leads to it, and the default address is disabled', () => {
    const domainName = 'chat.example.com';
    const certificateArn = 'arn:aws:acm:ap-southeast-1:123456789012:certificate/0a1b-2c3d';
    const template = synthesized({ domainName, certificateArn, stage: 'ci' });
    template.hasResourceProperties('AWS::ApiGatewayV2::Api', { DisableExecuteApiEndpoint: true });
    template.hasResourceProperties('AWS::ApiGatewayV2::DomainName', {
      DomainName: domainName,
      DomainNameConfigurations: [Match.objectLike({ CertificateArn: certificateArn })],
    });
    template.hasResourceProperties('AWS::ApiGatewayV2::ApiMapping', {
      ApiMappingKey: Match.absent(),
      Stage: '$default',
    });
    // The logical ID in deployed stacks. With another one, CloudFormation would map the domain a second time.
    expect(Object.keys(template.findResources('AWS::ApiGatewayV2::ApiMapping'))).toEqual([
      'ApiStageTencentChatWebhookciDomainundefined27BD63C3',
    ]);
    template.hasOutput('WebhookUrl', { Value: 'https://chat.example.com/webhook' });
    template.hasOutput('DomainTarget', { Value: { 'Fn::GetAtt': [Match.anyValue(), 'RegionalDomainName'] } });
  });

  test('stage: only the event bus and the access log have physical names, which contain the stage, and the metrics are separate', () => {
    const template = synthesized({ stage: 'test' });
    const named = JSON.stringify(template.toJSON()).match(
      /"(Table|Queue|Function|Role|Topic|Bus|Dashboard|Alarm|LogGroup|Secret)?Name":"[^"]*"/g,
    );
    // Short names are those of keys and dimensions.
    const physical = named?.filter((name) => !/^"Name":"\w{1,30}"$/.test(name));
    expect(physical).toEqual([
      expect.stringMatching('"Name":"TencentChatWebhooktestAnnouncements'),
      '"LogGroupName":"/aws/vendedlogs/TencentChatWebhook-test-ApiAccessLog"',
    ]);
    template.hasResourceProperties('AWS::Lambda::Function', {
      Environment: { Variables: Match.objectLike({ SERVICE_NAME: 'TencentChatWebhook-test' }) },
    });
  });

  test('provisionedConcurrency: the route invokes the alias with the warm instances', () => {
    const template = synthesized({ provisionedConcurrency: '2' });
    template.hasResourceProperties('AWS::Lambda::Alias', {
      ProvisionedConcurrencyConfig: { ProvisionedConcurrentExecutions: 2 },
    });
    const alias = { Ref: Match.stringLikeRegexp('^ReceiverAliaslive') };
    template.hasResourceProperties('AWS::ApiGatewayV2::Integration', { IntegrationUri: alias });
    template.hasResourceProperties('AWS::Lambda::Permission', {
      FunctionName: alias,
      Principal: 'apigateway.amazonaws.com',
    });
  });

  test('forwardUrl reaches the receiver, which needs no further permission', () => {
    const [forwards, plain] = [{ forwardUrl: 'https://backend.example.com/hook' }, {}].map((context) =>
      synthesized(context),
    );
    forwards!.hasResourceProperties('AWS::Lambda::Function', {
      Environment: { Variables: { FORWARD_URL: 'https://backend.example.com/hook' } },
    });
    expect(forwards!.findResources('AWS::IAM::Policy')).toEqual(plain!.findResources('AWS::IAM::Policy'));
  });

  test('allowedCidrs, alarmEmail and maxRequestsPerSecond reach their resources', () => {
    const template = synthesized({
      allowedCidrs: '198.51.100.0/24,2001:db8::/32',
      alarmEmail: 'ops@example.com',
      maxRequestsPerSecond: '10000',
    });
    template.hasResourceProperties('AWS::Lambda::Function', {
      Environment: { Variables: { ALLOWED_CIDRS: '198.51.100.0/24,2001:db8::/32' } },
    });
    template.hasResourceProperties('AWS::SNS::Subscription', {
      Protocol: 'email',
      Endpoint: 'ops@example.com',
      TopicArn: { Ref: Match.stringLikeRegexp('^AlarmTopic') },
    });
    template.hasResourceProperties('AWS::ApiGatewayV2::Stage', {
      DefaultRouteSettings: { ThrottlingRateLimit: 10_000, ThrottlingBurstLimit: 20_000 },
    });
  });
});
