import { readdirSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { RemovalPolicy, type Stack } from 'aws-cdk-lib';
import { Annotations, Match, Template } from 'aws-cdk-lib/assertions';
import { TableV2 } from 'aws-cdk-lib/aws-dynamodb';
import { Rule } from 'aws-cdk-lib/aws-events';
import { Key } from 'aws-cdk-lib/aws-kms';
import { RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Secret, type ISecret } from 'aws-cdk-lib/aws-secretsmanager';
import { SDK_APP_ID } from '../delivery.ts';
import { readTemplate } from '../deployment.ts';
import { appWithoutBundles, embedded, hostStack, IRELAND, KEYS, webhookIn } from './host.ts';
import { permissions, statements } from './permissions.ts';

describe('in an app without this project’s feature flags', () => {
  const stack = hostStack();
  const webhook = webhookIn(stack);
  new Rule(stack, 'Rule', {
    eventBus: webhook.eventBus,
    eventPattern: { detailType: ['Official Account Created'] },
  });
  const template = Template.fromStack(stack);

  const own = Template.fromJSON(readTemplate());

  test('has every resource of the stack', () => {
    const types = (of: Template) => Object.values<{ Type: string }>(of.toJSON()['Resources']).map(({ Type }) => Type);
    expect(types(template).toSorted()).toEqual([...types(own), 'AWS::Events::Rule'].toSorted());
  });

  test.each(['Receiver', 'Redrive', 'Publisher'])('gives the role of %s the same permissions as the stack', (name) => {
    const expected = permissions(own, name).map(([action, id]) => [action, id === '*' ? id : `Webhook${id}`]);
    expect(permissions(template, `Webhook${name}`)).toEqual(expected);
    template.allResourcesProperties('AWS::IAM::Role', { ManagedPolicyArns: Match.absent() });
  });

  test('has no key, and adds no warning', () => {
    template.resourceCountIs('AWS::KMS::Key', 0);
    expect(JSON.stringify(template.toJSON())).not.toContain('kms:');
    expect(Annotations.fromStack(stack).findWarning('*', Match.anyValue())).toEqual([]);
  });

  test('lets a rule of the host app listen to its event bus', () => {
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

test('the functions are not bundled if CDK needs no bundles, for example for cdk list and cdk destroy', () => {
  const app = appWithoutBundles();
  webhookIn(hostStack({}, app));
  expect(readdirSync(app.outdir)).toEqual([]);
});

describe('two in one stack', () => {
  const stack = hostStack();
  for (const id of ['First', 'Second']) webhookIn(stack, {}, id);
  const template = Template.fromStack(stack);

  test('each have their own table, bus and functions', () => {
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

describe('with props that only a host app can give', () => {
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
    IRELAND,
  );

  test.each<[string, object, string]>([
    ['AWS::Logs::LogGroup', { KmsKeyId: KEY }, 'log groups'],
    ['AWS::SQS::Queue', { KmsMasterKeyId: KEY, SqsManagedSseEnabled: Match.absent() }, 'queues'],
    ['AWS::SecretsManager::Secret', { KmsKeyId: KEY }, 'token'],
    ['AWS::SNS::Topic', { KmsMasterKeyId: KEY }, 'topic of the alarms'],
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

  /** Returns the actions on the key that a role may do, by service. */
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

  test('the roles may use the key only for the actions that they call, and only through the service of the action', () => {
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

  test('the key’s policy lets CloudWatch encrypt the logs of this account and publish alarms to the topic', () => {
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

  test('logRetention applies to every log group', () => {
    template.allResourcesProperties('AWS::Logs::LogGroup', { RetentionInDays: 7 });
  });

  test('removalPolicy DESTROY removes the table with the construct', () => {
    template.hasResource('AWS::DynamoDB::GlobalTable', {
      DeletionPolicy: 'Delete',
      Properties: { Replicas: [Match.objectLike({ DeletionProtectionEnabled: false })] },
    });
  });

  test('a string may be known only at deployment', () => {
    template.hasResourceProperties('AWS::ApiGatewayV2::DomainName', {
      DomainNameConfigurations: [{ CertificateArn: { 'Fn::Join': Match.anyValue() } }],
    });
  });

  test('a key in a stack without a region is rejected', () => {
    expect(() => embedded(ownKey)).toThrow('- encryptionKey needs a stack with a region');
  });
});

describe('a token of the host app', () => {
  const name = 'tencent/chat';
  const arn = `arn:aws:secretsmanager:eu-west-1:123456789012:secret:${name}-AbCdEf`;
  test.each<[string, (stack: Stack) => ISecret | Secret, unknown]>([
    ['that is created there', (stack) => new Secret(stack, 'Own'), { Ref: expect.stringMatching(/^Own/) }],
    ['that is imported', (stack) => Secret.fromSecretCompleteArn(stack, 'Own', arn), arn],
    [
      'that is found by its name, whose ARN is partial',
      (stack) => Secret.fromSecretNameV2(stack, 'Own', name),
      { 'Fn::Join': ['', expect.arrayContaining([`:secret:${name}-??????`])] },
    ],
  ])('%s is the only secret, and the only one that the receiver may read', (_what, secretOf, resource) => {
    const { template: own, webhook } = embedded((stack) => ({ token: secretOf(stack), probeMinutes: 5 }));
    expect(Object.keys(own.findResources('AWS::SecretsManager::Secret')).filter((id) => !id.startsWith('Own'))).toEqual(
      [],
    );
    for (const role of ['WebhookReceiver', 'WebhookProbe']) {
      const reads = statements(own, role).filter(({ Action }) => Action === 'secretsmanager:GetSecretValue');
      expect(reads.map(({ Resource }) => Resource)).toEqual([resource]);
    }
    expect(webhook.token).toBeDefined();
  });

  test('has no effect with authentication off, and is then rejected', () => {
    const props = (stack: Stack) => ({ token: new Secret(stack, 'Own'), authentication: 'off' as const });
    expect(() => embedded(props)).toThrow('- token has no effect with authentication off\n');
  });
});

describe('props', () => {
  test('are rejected with all their problems at once, before anything is created', () => {
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
    expect(() => webhookIn(stack, props)).toThrow(
      /^The props of Host\/Webhook are wrong:\n- 'allowedCIDRs' is not a prop; .*\n- sdkAppId is .*\n- allowedCidrs contains .*\n- silenceHours is .*\n- certificateArn is missing: .*\n- table has no stream: .*\n- removalPolicy has no effect with table: .*\n- removalPolicy is 'snapshot', .*\n$/,
    );
    expect(stack.node.findChild('Webhook').node.children).toEqual([]);
  });

  test('do not include the options of the stack', () => {
    const props = { sdkAppId: SDK_APP_ID, stage: 'test' };
    expect(() => embedded(() => props)).toThrow("- 'stage' is not a prop; ");
  });

  test('reject an empty allow-list', () => {
    expect(() => embedded(() => ({ allowedCidrs: [] }))).toThrow('- allowedCidrs is empty');
  });
});
