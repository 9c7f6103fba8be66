import { describe, expect, test } from '@jest/globals';
import { NestedStack, Stack, Stage } from 'aws-cdk-lib';
import { Construct } from 'constructs';
import { appWithoutBundles, hostStack, propertiesOf, webhookIn } from './host.ts';

describe('a name', () => {
  test('of the event bus contains the stack’s name if the stack has a name of its own', () => {
    const busOf = (stackName?: string) => {
      const stack = hostStack(stackName === undefined ? {} : { stackName });
      webhookIn(stack);
      return propertiesOf(stack, 'AWS::Events::EventBus', 'Name')[0];
    };
    expect([busOf(), busOf('Host')]).toEqual(['HostWebhookAnnouncements5E9CBA22', 'HostWebhookAnnouncements5E9CBA22']);
    expect(busOf('chat-test')).toMatch(/^chat-test-Webhook-[\dA-F]{8}-events$/);
    expect(busOf('chat-prod')).toMatch(/^chat-prod-Webhook-[\dA-F]{8}-events$/);
  });

  test.each<[string, () => Stack]>([
    ['in a stage', () => new Stack(new Stage(appWithoutBundles(), 'Prod'), 'Host')],
    ['in a construct', () => new Stack(new Construct(appWithoutBundles(), 'Team'), 'Host')],
  ])('of the event bus stays CDK’s default for a stack %s', (_what, create) => {
    const stack = create();
    webhookIn(stack);
    expect(propertiesOf(stack, 'AWS::Events::EventBus', 'Name')).toEqual([
      expect.stringMatching(/Announcements[\dA-F]{8}$/),
    ]);
  });

  const inStack = (create: (stack: Stack) => Construct) => {
    const stack = hostStack();
    return [stack, create(stack)] as const;
  };
  test.each<[string, () => readonly [Stack, Construct]]>([
    [
      'in a nested stack',
      () => {
        const stack = new NestedStack(hostStack(), 'A-Nested-Stack-With-A-Rather-Long-Name');
        return [stack, stack];
      },
    ],
    ['with long IDs', () => inStack((stack) => new Construct(stack, 'Long'.repeat(60)))],
    ['with Chinese IDs', () => inStack((stack) => new Construct(stack, '聊天'))],
  ])('%s fits into what each service allows', (_what, create) => {
    const [stack, scope] = create();
    webhookIn(scope);
    const [displayName] = propertiesOf(stack, 'AWS::SNS::Topic', 'DisplayName');
    expect(displayName).toMatch(/^[ -~]{1,100}$/);
    expect(propertiesOf(stack, 'AWS::Logs::LogGroup', 'LogGroupName')).toEqual([
      expect.stringMatching(/^\/aws\/vendedlogs\/[\w-]{1,200}-ApiAccessLog$/),
    ]);
    expect(propertiesOf(stack, 'AWS::Events::EventBus', 'Name')).toEqual([expect.stringMatching(/^[\w.-]{1,256}$/)]);
    const services = propertiesOf(stack, 'AWS::CloudWatch::Alarm', 'Dimensions').filter(
      ({ Name }) => Name === 'service',
    );
    expect(services.length).toBeGreaterThan(3);
    for (const { Value } of services) expect(JSON.stringify(Value)).toMatch(/^[ -~]{1,1024}$/);
  });

  test('keeps two constructs apart whose IDs differ only in characters that CloudWatch does not allow', () => {
    const stack = hostStack();
    for (const id of ['公众号', '服务号']) webhookIn(stack, {}, id);
    const services = propertiesOf(stack, 'AWS::CloudWatch::Alarm', 'Dimensions').filter(
      ({ Name }) => Name === 'service',
    );
    expect(new Set(services.map(({ Value }) => Value)).size).toBe(2);
    expect(new Set(propertiesOf(stack, 'AWS::Logs::LogGroup', 'LogGroupName')).size).toBe(2);
  });
});
