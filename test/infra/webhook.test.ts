import { describe, expect, test } from '@jest/globals';
import { App, RemovalPolicy, Stack, Validations } from 'aws-cdk-lib';
import { Annotations, Match, Template } from 'aws-cdk-lib/assertions';
import { AttributeType, StreamViewType, Table, TableEncryption, TableV2 } from 'aws-cdk-lib/aws-dynamodb';
import { Rule } from 'aws-cdk-lib/aws-events';
import { Key } from 'aws-cdk-lib/aws-kms';
import { RetentionDays } from 'aws-cdk-lib/aws-logs';
import { AwsSolutionsChecks, ServerlessChecks } from 'cdk-nag';
import { TencentChatWebhook, type TencentChatWebhookProps } from '../../infra/webhook.ts';
import { findings, NOTHING } from './nag.ts';
import { permissions, statements } from './permissions.ts';

const SDK_APP_ID = '1400000000';

/** The stack of a host app that has none of our feature flags. */
function hostStack(outdir?: string, region?: string): Stack {
  const app = new App(outdir === undefined ? {} : { outdir });
  return new Stack(app, 'Host', region === undefined ? {} : { env: { region } });
}

/** What a host gets that gives such props besides the SDKAppID. */
function embedded(props: (stack: Stack) => Partial<TencentChatWebhookProps> = () => ({}), region?: string) {
  const stack = hostStack(undefined, region);
  const webhook = new TencentChatWebhook(stack, 'Webhook', { sdkAppId: SDK_APP_ID, ...props(stack) });
  return { stack, webhook, template: Template.fromStack(stack) };
}

const KEYS = {
  partitionKey: { name: 'sdkAppId', type: AttributeType.STRING },
  sortKey: { name: 'officialAccountId', type: AttributeType.STRING },
};
const ownTable = (stack: Stack) =>
  new TableV2(stack, 'Accounts', { ...KEYS, dynamoStream: StreamViewType.NEW_AND_OLD_IMAGES });

const foreignKey = (stack: Stack) =>
  Key.fromKeyArn(stack, 'Key', 'arn:aws:kms:eu-west-1:123456789012:key/0a1b2c3d-0a1b-0a1b-0a1b-0a1b2c3d4e5f');

const STREAM_ARN = 'arn:aws:dynamodb:eu-west-1:123456789012:table/accounts/stream/2026-11-25T00:00:00.000';

describe('in an app without our feature flags', () => {
  const stack = hostStack();
  const webhook = new TencentChatWebhook(stack, 'Webhook', { sdkAppId: SDK_APP_ID });
  new Rule(stack, 'Rule', {
    eventBus: webhook.eventBus,
    eventPattern: { detailType: ['Official Account Created'] },
  });
  const template = Template.fromStack(stack);

  test('has everything that the stack of its own has', () => {
    const types = Object.values(template.toJSON()['Resources']).map((resource) => (resource as { Type: string }).Type);
    expect(
      Object.fromEntries(types.toSorted().map((type) => [type, types.filter((each) => each === type).length])),
    ).toEqual({
      'AWS::ApiGatewayV2::Api': 1,
      'AWS::ApiGatewayV2::Integration': 1,
      'AWS::ApiGatewayV2::Route': 1,
      'AWS::ApiGatewayV2::Stage': 1,
      'AWS::CloudWatch::Alarm': 17,
      'AWS::CloudWatch::Dashboard': 1,
      'AWS::DynamoDB::GlobalTable': 1,
      'AWS::Events::EventBus': 1,
      'AWS::Events::Rule': 1, // the host's
      'AWS::IAM::Policy': 3,
      'AWS::IAM::Role': 3,
      'AWS::Lambda::EventSourceMapping': 2,
      'AWS::Lambda::Function': 3,
      'AWS::Lambda::Permission': 1,
      'AWS::Logs::LogGroup': 4,
      'AWS::SNS::Topic': 1,
      'AWS::SNS::TopicPolicy': 1,
      'AWS::SQS::Queue': 3,
      'AWS::SQS::QueuePolicy': 3,
      'AWS::SecretsManager::Secret': 1,
    });
  });

  test('gives its roles the same rights as the stack of its own', () => {
    expect(permissions(template, 'WebhookReceiver')).toEqual([
      ['dynamodb:UpdateItem', 'WebhookOfficialAccounts'],
      ['logs:CreateLogStream', 'WebhookReceiverLog'],
      ['logs:PutLogEvents', 'WebhookReceiverLog'],
      ['secretsmanager:GetSecretValue', 'WebhookWebhookToken'],
      ['sqs:SendMessage', 'WebhookDeadLetters'],
      ['sqs:SendMessage', 'WebhookParked'],
      ['xray:PutTelemetryRecords', '*'],
      ['xray:PutTraceSegments', '*'],
    ]);
    template.allResourcesProperties('AWS::IAM::Role', { ManagedPolicyArns: Match.absent() });
  });

  test('has no key of the host’s, and warns of nothing', () => {
    template.resourceCountIs('AWS::KMS::Key', 0);
    expect(JSON.stringify(template.toJSON())).not.toContain('kms:');
    expect(Annotations.fromStack(stack).findWarning('*', Match.anyValue())).toEqual([]);
  });

  test('lets a rule of the host’s listen to its event bus', () => {
    template.hasResourceProperties('AWS::Events::Rule', {
      EventBusName: { Ref: Match.stringLikeRegexp('^WebhookAnnouncements') },
    });
  });

  test('has its resources as properties', () => {
    const logicalIds = Object.entries({
      table: webhook.table,
      eventBus: webhook.eventBus,
      token: webhook.token,
      receiver: webhook.receiver,
      redrive: webhook.redrive,
      publisher: webhook.publisher,
      parked: webhook.queues.parked,
      deadLetters: webhook.queues.deadLetters,
      unpublished: webhook.queues.unpublished,
      alarmTopic: webhook.alarmTopic,
      dashboard: webhook.dashboard,
      api: webhook.api,
    }).map(([name, construct]) => [name, stack.getLogicalId(construct?.node.defaultChild as never).slice(0, -8)]);
    expect(Object.fromEntries(logicalIds)).toEqual({
      table: 'WebhookOfficialAccounts',
      eventBus: 'WebhookAnnouncements',
      token: 'WebhookWebhookToken',
      receiver: 'WebhookReceiver',
      redrive: 'WebhookRedrive',
      publisher: 'WebhookPublisher',
      parked: 'WebhookParked',
      deadLetters: 'WebhookDeadLetters',
      unpublished: 'WebhookUnannounced',
      alarmTopic: 'WebhookAlarmTopic',
      dashboard: 'WebhookDashboard',
      api: 'WebhookApi',
    });
    expect(JSON.stringify(stack.resolve(webhook.url))).toMatch(/"WebhookApi\w+","ApiEndpoint".*"\/webhook"/);
    expect(webhook.domain).toBeUndefined();
    expect(webhook.alarms.map(({ node }) => node.id).slice(0, 2)).toEqual(['NotKept', 'ApiServerErrors']);
  });
});

describe('two in one stack', () => {
  const stack = hostStack();
  for (const [id, sdkAppId] of [
    ['First', '1'],
    ['Second', '2'],
  ] as const) {
    new TencentChatWebhook(stack, id, { sdkAppId });
  }
  const template = Template.fromStack(stack);

  test('have each a table, a bus and three functions of their own', () => {
    template.resourceCountIs('AWS::DynamoDB::GlobalTable', 2);
    template.resourceCountIs('AWS::Lambda::Function', 6);
    const names = Object.values(template.findResources('AWS::Events::EventBus')).map(
      ({ Properties }) => Properties.Name,
    );
    expect(new Set(names).size).toBe(2);
  });

  test('do not mix their metrics', () => {
    const services = (id: string) => {
      const functions = Object.entries(template.findResources('AWS::Lambda::Function'));
      const alarms = Object.entries(template.findResources('AWS::CloudWatch::Alarm'));
      const ofAlarm = alarms
        .filter(([logicalId]) => logicalId.startsWith(id))
        .flatMap(([, { Properties }]) => Properties.Dimensions ?? [])
        .filter(({ Name }: { Name: string }) => Name === 'service')
        .map(({ Value }: { Value: string }) => Value);
      const ofFunction = functions
        .filter(([logicalId]) => logicalId.startsWith(id))
        .flatMap(([, { Properties }]) => Properties.Environment?.Variables.SERVICE_NAME ?? []);
      return new Set([...ofAlarm, ...ofFunction]);
    };
    expect(services('First')).toEqual(new Set(['Host/First']));
    expect(services('Second')).toEqual(new Set(['Host/Second']));
  });
});

describe('with what only a host can give', () => {
  const KEY = { 'Fn::GetAtt': [Match.stringLikeRegexp('^Key'), 'Arn'] };
  const ownKey = (stack: Stack) => ({ encryptionKey: new Key(stack, 'Key', { enableKeyRotation: true }) });
  const { template } = embedded(
    (stack) => ({
      ...ownKey(stack),
      logRetention: RetentionDays.ONE_WEEK,
      removalPolicy: RemovalPolicy.DESTROY,
      domainName: 'chat.example.com',
      certificateArn: stack.formatArn({ service: 'acm', resource: 'certificate', resourceName: '0a1b' }),
    }),
    'eu-west-1',
  );

  test.each<[string, object, string]>([
    ['AWS::Logs::LogGroup', { KmsKeyId: KEY }, 'log groups'],
    ['AWS::SQS::Queue', { KmsMasterKeyId: KEY, SqsManagedSseEnabled: Match.absent() }, 'queues'],
    ['AWS::SecretsManager::Secret', { KmsKeyId: KEY }, 'token'],
    ['AWS::SNS::Topic', { KmsMasterKeyId: KEY }, 'alarms’ topic'],
    [
      'AWS::DynamoDB::GlobalTable',
      {
        SSESpecification: { SSEEnabled: true, SSEType: 'KMS' },
        Replicas: [{ SSESpecification: { KMSMasterKeyId: KEY } }],
      },
      'table',
    ],
  ])('its key encrypts every %s', (type, properties) => {
    template.allResourcesProperties(type, properties);
  });

  /** What a role may do with the key, by the service by way of which it may. */
  const keyRights = (roleId: string) => {
    const rights: Record<string, string[]> = {};
    for (const { Action, Resource, Condition } of statements(template, roleId)) {
      const actions = [Action].flat().filter((action) => action.startsWith('kms:'));
      if (actions.length === 0) continue;
      expect(Resource).toEqual({ 'Fn::GetAtt': [expect.stringMatching(/^Key/), 'Arn'] });
      const [, service = 'any'] =
        /^{"StringLike":{"kms:ViaService":{"Fn::Join":\["",\["(\w+)\.",{"Ref":"AWS::Region"},"\.amazonaws\.com\*"\]\]}}}$/.exec(
          JSON.stringify(Condition),
        ) ?? [];
      rights[service] = [...new Set([...(rights[service] ?? []), ...actions])].toSorted();
    }
    return rights;
  };
  const WRITE = [
    'kms:Decrypt',
    'kms:DescribeKey',
    'kms:Encrypt',
    'kms:GenerateDataKey',
    'kms:GenerateDataKeyWithoutPlaintext',
    'kms:ReEncryptFrom',
    'kms:ReEncryptTo',
  ];

  test('the roles may use the key for what they call, by way of its service, and for nothing else', () => {
    expect(keyRights('WebhookReceiver')).toEqual({
      dynamodb: WRITE,
      sqs: ['kms:Decrypt', 'kms:GenerateDataKey'],
      secretsmanager: ['kms:Decrypt'],
    });
    expect(keyRights('WebhookRedrive')).toEqual({ dynamodb: WRITE, sqs: ['kms:Decrypt'] });
    expect(keyRights('WebhookPublisher')).toEqual({
      dynamodb: ['kms:Decrypt'],
      sqs: ['kms:Decrypt', 'kms:GenerateDataKey'],
    });
  });

  test('the key’s policy lets CloudWatch encrypt logs of this account, and its alarms reach the topic', () => {
    template.hasResourceProperties('AWS::KMS::Key', {
      KeyPolicy: {
        Statement: Match.arrayWith([
          Match.objectLike({
            Principal: { Service: { 'Fn::Join': ['', ['logs.', { Ref: 'AWS::Region' }, '.amazonaws.com']] } },
            Condition: { ArnLike: { 'kms:EncryptionContext:aws:logs:arn': Match.anyValue() } },
          }),
          Match.objectLike({
            Action: ['kms:Decrypt', 'kms:GenerateDataKey*'],
            Principal: { Service: 'cloudwatch.amazonaws.com' },
            Condition: { StringEquals: { 'aws:SourceAccount': { Ref: 'AWS::AccountId' } } },
          }),
        ]),
      },
    });
  });

  test('its logRetention holds for every log group', () => {
    template.allResourcesProperties('AWS::Logs::LogGroup', { RetentionInDays: 7 });
  });

  test('its removalPolicy DESTROY lets the table go with the construct', () => {
    template.hasResource('AWS::DynamoDB::GlobalTable', {
      DeletionPolicy: 'Delete',
      Properties: { Replicas: [Match.objectLike({ DeletionProtectionEnabled: false })] },
    });
  });

  test('a text may be known only at deployment', () => {
    template.hasResourceProperties('AWS::ApiGatewayV2::DomainName', {
      DomainNameConfigurations: [{ CertificateArn: { 'Fn::Join': Match.anyValue() } }],
    });
  });

  test('a key in a stack that does not know its region is refused', () => {
    expect(() => embedded(ownKey)).toThrow('- encryptionKey needs a stack with a region');
  });
});

describe('with a table of the host’s', () => {
  test('writes to it, reads its stream and creates none', () => {
    const { template, webhook, stack } = embedded((scope) => ({
      table: ownTable(scope),
      encryptionKey: foreignKey(scope),
    }));
    template.resourceCountIs('AWS::DynamoDB::GlobalTable', 1);
    expect(permissions(template, 'WebhookReceiver')).toContainEqual(['dynamodb:UpdateItem', 'Accounts']);
    expect(permissions(template, 'WebhookRedrive')).toContainEqual(['dynamodb:UpdateItem', 'Accounts']);
    expect(permissions(template, 'WebhookPublisher')).toContainEqual(['dynamodb:GetRecords', 'Accounts']);
    template.hasResourceProperties('AWS::Lambda::Function', {
      Environment: { Variables: Match.objectLike({ TABLE_NAME: stack.resolve(webhook.table.tableName) }) },
    });
    // The key that encrypts the rest is another app's: its policy can't be changed from here.
    const warning = Match.stringLikeRegexp('The policy of encryptionKey cannot be changed from this app');
    expect(Annotations.fromStack(stack).findWarning('/Host/Webhook', warning)).toHaveLength(1);
  });

  test('may use that table’s key', () => {
    const { template } = embedded((scope) => ({
      table: new Table(scope, 'Accounts', {
        ...KEYS,
        stream: StreamViewType.NEW_AND_OLD_IMAGES,
        encryption: TableEncryption.CUSTOMER_MANAGED,
      }),
    }));
    expect(permissions(template, 'WebhookReceiver')).toContainEqual(['kms:Encrypt', 'AccountsKey']);
    expect(permissions(template, 'WebhookPublisher')).toContainEqual(['kms:Decrypt', 'AccountsKey']);
  });

  test('takes one that was imported with its stream', () => {
    const { template } = embedded((scope) => ({
      table: Table.fromTableAttributes(scope, 'Accounts', {
        tableArn: 'arn:aws:dynamodb:eu-west-1:123456789012:table/accounts',
        tableStreamArn: STREAM_ARN,
      }),
    }));
    template.resourceCountIs('AWS::DynamoDB::GlobalTable', 0);
    template.hasResourceProperties('AWS::Lambda::EventSourceMapping', { EventSourceArn: STREAM_ARN });
  });

  test.each<[string, (stack: Stack) => Partial<TencentChatWebhookProps>, string]>([
    [
      'without a stream',
      (stack) => ({ table: new TableV2(stack, 'T', KEYS) }),
      'table has no stream: it needs one of the type NEW_AND_OLD_IMAGES',
    ],
    [
      'imported without its stream',
      (stack) => ({ table: Table.fromTableName(stack, 'T', 'accounts') }),
      'table has no stream: ',
    ],
    [
      'with a stream of new images only',
      (stack) => ({ table: new TableV2(stack, 'T', { ...KEYS, dynamoStream: StreamViewType.NEW_IMAGE }) }),
      'table has a stream of the type NEW_IMAGE: it needs NEW_AND_OLD_IMAGES',
    ],
    [
      'of the first version of CDK’s tables, with keys only in its stream',
      (stack) => ({ table: new Table(stack, 'T', { ...KEYS, stream: StreamViewType.KEYS_ONLY }) }),
      'table has a stream of the type KEYS_ONLY: it needs NEW_AND_OLD_IMAGES',
    ],
    [
      'with another key',
      (stack) => ({
        table: new TableV2(stack, 'T', {
          partitionKey: { name: 'id', type: AttributeType.STRING },
          dynamoStream: StreamViewType.NEW_AND_OLD_IMAGES,
        }),
      }),
      'table has the key id (S): it needs sdkAppId (S) and officialAccountId (S)',
    ],
    [
      'with a key of another type',
      (stack) => ({
        table: new TableV2(stack, 'T', {
          ...KEYS,
          partitionKey: { name: 'sdkAppId', type: AttributeType.NUMBER },
          dynamoStream: StreamViewType.NEW_AND_OLD_IMAGES,
        }),
      }),
      'table has the key sdkAppId (N) and officialAccountId (S): it needs sdkAppId (S) and officialAccountId (S)',
    ],
  ])('%s is refused', (_what, props, problem) => {
    expect(() => embedded(props)).toThrow(`The props of Host/Webhook are wrong:\n- ${problem}`);
  });
});

describe('props', () => {
  test('that are wrong are refused with all their problems at once, before anything is created', () => {
    const stack = hostStack();
    const props = {
      sdkAppId: '0',
      domainName: 'chat.example.com',
      silenceHours: 200,
      allowedCidrs: ['10.0.0.0/33'],
      table: new TableV2(stack, 'T', KEYS),
      removalPolicy: RemovalPolicy.SNAPSHOT,
      allowedCIDRs: ['10.0.0.0/8'],
    };
    expect(() => new TencentChatWebhook(stack, 'Webhook', props)).toThrow(
      /^The props of Host\/Webhook are wrong:\n- 'allowedCIDRs' is not a prop; .*\n- sdkAppId is .*\n- allowedCidrs contains .*\n- silenceHours is .*\n- certificateArn is missing: .*\n- table has no stream: .*\n- removalPolicy has no effect with table: .*\n- removalPolicy is 'snapshot', .*\n$/,
    );
    expect(stack.node.findChild('Webhook').node.children).toEqual([]);
  });

  test('are no settings of a stack', () => {
    const props = { sdkAppId: SDK_APP_ID, stage: 'test' };
    expect(() => new TencentChatWebhook(hostStack(), 'Webhook', props)).toThrow("- 'stage' is not a prop; ");
  });

  test('know no shorter list than the one that an allow-list needs', () => {
    expect(() => embedded(() => ({ allowedCidrs: [] }))).toThrow('- allowedCidrs is empty');
  });
});

describe('cdk-nag finds nothing', () => {
  const OPTIONS = {
    authentication: 'off',
    allowedCidrs: ['198.51.100.0/24'],
    domainName: 'chat.example.com',
    certificateArn: 'arn:aws:acm:eu-west-1:123456789012:certificate/0a1b',
    alarmEmail: 'ops@example.com',
    silenceHours: 24,
    provisionedConcurrency: 1,
  } as const;

  test.each<[string, (stack: Stack) => Partial<TencentChatWebhookProps>]>([
    ['without any prop', () => ({})],
    [
      'with every prop but a table',
      (stack) => ({
        ...OPTIONS,
        encryptionKey: new Key(stack, 'Key', { enableKeyRotation: true }),
        logRetention: RetentionDays.ONE_YEAR,
        removalPolicy: RemovalPolicy.RETAIN,
      }),
    ],
    [
      'with a key, a token and a table of the host’s',
      (stack) => ({
        encryptionKey: new Key(stack, 'Key', { enableKeyRotation: true }),
        table: Table.fromTableAttributes(stack, 'Accounts', {
          tableArn: 'arn:aws:dynamodb:eu-west-1:123456789012:table/accounts',
          tableStreamArn: STREAM_ARN,
        }),
      }),
    ],
  ])('%s', (_what, props) => {
    const found = findings((outdir) => {
      const stack = hostStack(outdir, 'eu-west-1');
      new TencentChatWebhook(stack, 'Webhook', { sdkAppId: SDK_APP_ID, ...props(stack) });
      const app = stack.node.root as App;
      Validations.of(app).addPlugins(new AwsSolutionsChecks(app), new ServerlessChecks(app));
      return app;
    });
    expect(found).toEqual(NOTHING);
    expect(Object.values(found).flat()).toEqual([]);
  });
});
