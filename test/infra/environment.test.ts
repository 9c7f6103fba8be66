import { describe, expect, test } from '@jest/globals';
import { Stack, type App } from 'aws-cdk-lib';
import { Table, TableV2 } from 'aws-cdk-lib/aws-dynamodb';
import { EventBus } from 'aws-cdk-lib/aws-events';
import { Key } from 'aws-cdk-lib/aws-kms';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { Topic } from 'aws-cdk-lib/aws-sns';
import type { TencentChatWebhookProps } from '../../infra/webhook.ts';
import { ACCOUNT, hostStack, IRELAND, STREAM_ARN, TABLE_ARN, webhookIn } from './host.ts';

describe('a resource of another place', () => {
  const elsewhere = (service: string, resource: string, { region = 'eu-west-1', account = ACCOUNT } = {}) =>
    `arn:aws:${service}:${region}:${account}:${resource}`;
  const key = 'key/0a1b2c3d-0a1b-0a1b-0a1b-0a1b2c3d4e5f';
  const domain = { domainName: 'chat.example.com' };
  const [FRANKFURT, OTHER] = [{ region: 'eu-central-1' }, { account: '210987654321' }];

  test.each<[string, (stack: Stack) => Partial<TencentChatWebhookProps>, string]>([
    [
      'a certificate of another region',
      () => ({ ...domain, certificateArn: elsewhere('acm', 'certificate/0a1b', FRANKFURT) }),
      'certificateArn is in the region eu-central-1, but the stack Host is in eu-west-1: give one of eu-west-1',
    ],
    [
      'a certificate of another account',
      () => ({ ...domain, certificateArn: elsewhere('acm', 'certificate/0a1b', OTHER) }),
      `certificateArn is in the account 210987654321, but the stack Host is in ${ACCOUNT}: give one of ${ACCOUNT}`,
    ],
    [
      'a key of another region',
      (stack) => ({ encryptionKey: Key.fromKeyArn(stack, 'Key', elsewhere('kms', key, FRANKFURT)) }),
      'encryptionKey is in the region eu-central-1, but ',
    ],
    [
      'a key of another account',
      (stack) => ({ encryptionKey: Key.fromKeyArn(stack, 'Key', elsewhere('kms', key, OTHER)) }),
      'encryptionKey is in the account 210987654321, but ',
    ],
    [
      'a key of a stack in another region',
      (stack) => {
        const other = new Stack(stack.node.root as App, 'Other', { env: { ...IRELAND.env, ...FRANKFURT } });
        return { encryptionKey: new Key(other, 'Key') };
      },
      'encryptionKey is in the region eu-central-1, but ',
    ],
    [
      'a table of another region',
      (stack) => {
        const tableArn = elsewhere('dynamodb', 'table/a', FRANKFURT);
        return { table: Table.fromTableAttributes(stack, 'T', { tableArn, tableStreamArn: `${tableArn}/stream/1` }) };
      },
      'table is in the region eu-central-1, but ',
    ],
    [
      'the stream of another table',
      (stack) => ({
        table: TableV2.fromTableAttributes(stack, 'T', {
          tableArn: TABLE_ARN,
          tableStreamArn: STREAM_ARN.replace('accounts', 'others'),
        }),
      }),
      `table is ${TABLE_ARN}, but has the stream of another table, arn:aws:dynamodb:eu-west-1:${ACCOUNT}:table/others/stream/`,
    ],
    [
      'a token of another region',
      (stack) => ({
        token: Secret.fromSecretCompleteArn(stack, 'S', elsewhere('secretsmanager', 'secret:a-AbCdEf', FRANKFURT)),
      }),
      'token is in the region eu-central-1, but ',
    ],
    [
      'an event bus of another account',
      (stack) => ({ eventBus: EventBus.fromEventBusArn(stack, 'B', elsewhere('events', 'event-bus/a', OTHER)) }),
      'eventBus is in the account 210987654321, but ',
    ],
    [
      'a topic of another region',
      (stack) => ({ alarmTopic: Topic.fromTopicArn(stack, 'T', elsewhere('sns', 'a', FRANKFURT)) }),
      'alarmTopic is in the region eu-central-1, but ',
    ],
  ])('%s is rejected with one message', (_what, props, problem) => {
    const stack = hostStack(IRELAND);
    let message = '';
    try {
      webhookIn(stack, props(stack));
    } catch (error) {
      ({ message } = error as Error);
    }
    expect(message.split('\n')).toEqual([
      'The props of Host/Webhook are wrong:',
      expect.stringContaining(`- ${problem}`),
      '',
    ]);
  });

  test('is accepted where AWS accepts it, or where the place is known only at deployment', () => {
    const stack = hostStack(IRELAND);
    webhookIn(stack, {
      token: Secret.fromSecretCompleteArn(stack, 'S', elsewhere('secretsmanager', 'secret:a-AbCdEf', OTHER)),
      alarmTopic: Topic.fromTopicArn(stack, 'T', elsewhere('sns', 'a', OTHER)),
    });
    const certificateArn = elsewhere('acm', 'certificate/0a1b', FRANKFURT);
    expect(webhookIn(hostStack(), { ...domain, certificateArn }).domain).toBeDefined();
  });
});
