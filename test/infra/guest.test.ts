import { describe, expect, test } from '@jest/globals';
import { Aspects, CfnParameter, Tags } from 'aws-cdk-lib';
import { Annotations, Match, Template } from 'aws-cdk-lib/assertions';
import { EventBus } from 'aws-cdk-lib/aws-events';
import { LambdaFunction } from 'aws-cdk-lib/aws-events-targets';
import { AccountRootPrincipal, ManagedPolicy, PermissionsBoundary, Role } from 'aws-cdk-lib/aws-iam';
import { Key } from 'aws-cdk-lib/aws-kms';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { StringParameter } from 'aws-cdk-lib/aws-ssm';
import { AwsSolutionsChecks, ServerlessChecks } from 'cdk-nag-2';
import { checkCdkVersion, OLDEST_CDK_MINOR } from '../../infra/cdk-version.ts';
import type { DeliveryOutcome, RejectionReason } from '../../infra/delivery-outcomes.ts';
import { EVENT_SOURCE } from '../../infra/webhook.ts';
import { OUTCOMES, REASONS, type Outcome, type ReasonName } from '../../lambda/outcomes.ts';
import packageJson from '../../package.json' with { type: 'json' };
import { SDK_APP_ID } from '../delivery.ts';
import { ACCOUNT, embedded, hostStack, IRELAND, propertiesOf, webhookIn } from './host.ts';
import { permissions } from './permissions.ts';

describe('a value that CDK has not looked up yet', () => {
  test('passes the checks of every option', () => {
    const stack = hostStack(IRELAND);
    const lookedUp = (name: string) => StringParameter.valueFromLookup(stack, `/${name}`);
    webhookIn(stack, {
      sdkAppId: lookedUp('sdkAppId'),
      authentication: lookedUp('authentication') as 'token',
      certificateArn: lookedUp('certificateArn'),
      domainName: lookedUp('domainName'),
      alarmEmail: lookedUp('alarmEmail'),
      allowedCidrs: lookedUp('allowedCidrs').split(','),
      forwardUrl: lookedUp('forwardUrl'),
      silenceHours: lookedUp('silenceHours') as unknown as number,
    });
    expect(Object.keys(Template.fromStack(stack).findResources('AWS::Lambda::Function'))).toHaveLength(3);
  });

  test('is different from a value that is known only at deployment, which a list cannot contain', () => {
    const stack = hostStack(IRELAND);
    const parameter = new CfnParameter(stack, 'Range');
    expect(() => webhookIn(stack, { allowedCidrs: [parameter.valueAsString] })).toThrow(
      '- allowedCidrs contains a value that is known only at deployment, but must be known at synthesis\n',
    );
  });
});

describe('of the host app', () => {
  test('an event bus gets the events, and no other is created', () => {
    const { template, webhook } = embedded((stack) => ({ eventBus: new EventBus(stack, 'Own') }));
    template.resourceCountIs('AWS::Events::EventBus', 1);
    expect(permissions(template, 'WebhookPublisher')).toContainEqual(['events:PutEvents', 'Own']);
    template.hasResourceProperties('AWS::Lambda::Function', {
      Environment: { Variables: Match.objectLike({ EVENT_BUS_NAME: { Ref: Match.stringLikeRegexp('^Own') } }) },
    });
    expect(webhook.eventBus.eventBusName).toBeDefined();
  });

  test('a topic gets every alarm, lets CloudWatch publish, and gets the mail address', () => {
    const { template } = embedded((stack) => ({
      alarmTopic: new Topic(stack, 'Own', { enforceSSL: true }),
      alarmEmail: 'ops@example.com',
    }));
    template.resourceCountIs('AWS::SNS::Topic', 1);
    template.allResourcesProperties('AWS::CloudWatch::Alarm', {
      AlarmActions: [{ Ref: Match.stringLikeRegexp('^Own') }],
    });
    template.hasResourceProperties('AWS::SNS::TopicPolicy', {
      PolicyDocument: {
        Statement: Match.arrayWith([Match.objectLike({ Principal: { Service: 'cloudwatch.amazonaws.com' } })]),
      },
    });
    template.hasResourceProperties('AWS::SNS::Subscription', { TopicArn: { Ref: Match.stringLikeRegexp('^Own') } });
  });

  test('an imported topic is used, with a warning, because its policy cannot be changed', () => {
    const { stack } = embedded((host) => ({
      alarmTopic: Topic.fromTopicArn(host, 'Own', `arn:aws:sns:eu-west-1:${ACCOUNT}:ops`),
    }));
    const warning = Match.stringLikeRegexp('The policy of alarmTopic cannot be changed from this app');
    expect(Annotations.fromStack(stack).findWarning('/Host/Webhook', warning)).toHaveLength(1);
  });
});

describe('the construct', () => {
  test('has the metrics of each outcome and reason', () => {
    const { webhook, stack } = embedded();
    const outcomes: DeliveryOutcome[] = Object.keys(OUTCOMES) as Outcome[];
    const reasons: RejectionReason[] = Object.keys(REASONS) as ReasonName[];
    for (const metric of [
      ...outcomes.map((outcome) => webhook.metricDeliveries(outcome)),
      ...reasons.map((reason) => webhook.metricRejected(reason)),
    ]) {
      expect(stack.resolve(metric.toMetricConfig().metricStat)).toMatchObject({
        namespace: 'TencentChatWebhook',
        metricName: 'Deliveries',
        statistic: 'Sum',
        dimensions: [
          expect.objectContaining({ value: expect.any(String) }),
          { name: 'service', value: 'Host/Webhook' },
        ],
      });
    }
    expect(webhook.metricStoreTime({ statistic: 'p99' }).toMetricConfig().metricStat).toMatchObject({
      metricName: 'StoreTime',
      statistic: 'p99',
    });
  });

  test('grants the reading of records, and nothing else', () => {
    const stack = hostStack();
    const webhook = webhookIn(stack);
    const role = new Role(stack, 'Reader', { assumedBy: new AccountRootPrincipal() });
    webhook.grantRead(role);
    const actions = permissions(Template.fromStack(stack), 'Reader').map(([action]) => action);
    expect(actions).toContain('dynamodb:Query');
    expect(actions.filter((action) => /Write|Put|Update|Delete/.test(action))).toEqual([]);
  });

  test('sends the events of its own app to the target of a rule', () => {
    const stack = hostStack();
    const webhook = webhookIn(stack);
    const target = new LambdaFunction(webhook.redrive as IFunction);
    webhook.onEvent('NewAccount', { detailTypes: ['Official Account Created'], target, description: '新公众号' });
    webhook.onEvent('All', { target });
    const patterns = propertiesOf(stack, 'AWS::Events::Rule', 'EventPattern');
    const own = { source: [EVENT_SOURCE], detail: { sdkAppId: [SDK_APP_ID] } };
    expect(patterns).toEqual(expect.arrayContaining([own, { ...own, 'detail-type': ['Official Account Created'] }]));
  });

  test('adds the outputs that the operator commands read, with its ID as prefix', () => {
    const stack = hostStack();
    for (const id of ['First', 'Second-One']) {
      webhookIn(stack, {}, id).addOutputs();
    }
    const outputs = Object.keys(Template.fromStack(stack).findOutputs('*'));
    expect(outputs).toEqual(expect.arrayContaining(['FirstReceiverName', 'SecondOneReceiverName', 'FirstWebhookUrl']));
  });

  test('says so if aws-cdk-lib is too old, and accepts the version of its peer dependency', () => {
    expect(() => checkCdkVersion('2.189.1')).toThrow(
      'aws-cdk-lib is 2.189.1, but TencentChatWebhook needs 2.190.0 or newer: run npm install aws-cdk-lib@latest',
    );
    for (const version of ['2.190.0', '2.1000.0', '3.0.0']) checkCdkVersion(version);
    expect(packageJson.peerDependencies['aws-cdk-lib']).toBe(`^2.${OLDEST_CDK_MINOR}.0`);
  });

  test('takes the tags and the permission boundary of the host app', () => {
    const stack = hostStack(IRELAND);
    webhookIn(stack, { probeMinutes: 5 });
    Tags.of(stack).add('team', '公众号');
    PermissionsBoundary.of(stack).apply(ManagedPolicy.fromAwsManagedPolicyName('PowerUserAccess'));
    const template = Template.fromStack(stack);
    const tag = { Key: 'team', Value: '公众号' };
    template.allResourcesProperties('AWS::IAM::Role', {
      PermissionsBoundary: Match.anyValue(),
      Tags: Match.arrayWith([tag]),
    });
    template.allResourcesProperties('AWS::Lambda::Function', { Tags: Match.arrayWith([tag]) });
  });

  test('has no findings of cdk-nag 2', () => {
    const stack = hostStack(IRELAND);
    webhookIn(stack, {
      probeMinutes: 5,
      alarmEmail: 'ops@example.com',
      provisionedConcurrency: 1,
      forwardUrl: 'https://backend.example.com/hook',
      encryptionKey: new Key(stack, 'Key', { enableKeyRotation: true }),
    });
    for (const pack of [new AwsSolutionsChecks(), new ServerlessChecks()]) Aspects.of(stack).add(pack);
    const annotations = Annotations.fromStack(stack);
    expect(annotations.findError('*', Match.anyValue())).toEqual([]);
    expect(annotations.findWarning('*', Match.stringLikeRegexp('AwsSolutions|Serverless'))).toEqual([]);
  });
});
