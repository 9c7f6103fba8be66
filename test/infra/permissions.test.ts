import { describe, expect, test } from '@jest/globals';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { readTemplate } from '../deployment.ts';
import { permissions, statements } from './permissions.ts';

/** Permissions of every function. */
const own = (name: string) => [
  ['logs:CreateLogStream', `${name}Log`],
  ['logs:PutLogEvents', `${name}Log`],
  ['xray:PutTelemetryRecords', '*'],
  ['xray:PutTraceSegments', '*'],
];
const sorted = (pairs: string[][]) => pairs.toSorted((a, b) => a.join().localeCompare(b.join()));

describe('each role may do exactly what its function calls, on exactly its resources', () => {
  const template = Template.fromJSON(readTemplate());

  test.each<[string, string[][]]>([
    [
      'Receiver',
      [
        ['dynamodb:UpdateItem', 'OfficialAccounts'],
        ['secretsmanager:GetSecretValue', 'WebhookToken'],
        ['sqs:SendMessage', 'DeadLetters'],
        ['sqs:SendMessage', 'Parked'],
      ],
    ],
    [
      'Redrive',
      [
        ['dynamodb:UpdateItem', 'OfficialAccounts'],
        ['sqs:ChangeMessageVisibility', 'Parked'],
        ['sqs:DeleteMessage', 'Parked'],
        ['sqs:GetQueueAttributes', 'Parked'],
        ['sqs:ReceiveMessage', 'Parked'],
      ],
    ],
    [
      'Publisher',
      [
        ['dynamodb:DescribeStream', 'OfficialAccounts'],
        ['dynamodb:GetRecords', 'OfficialAccounts'],
        ['dynamodb:GetShardIterator', 'OfficialAccounts'],
        ['dynamodb:ListStreams', 'OfficialAccounts'],
        ['events:PutEvents', 'Announcements'],
        ['sqs:SendMessage', 'Unannounced'],
      ],
    ],
  ])('%s', (name, expected) => {
    expect(permissions(template, name)).toEqual(sorted([...own(name), ...expected]));
  });

  test('the publisher may read the stream, not the table', () => {
    const ofTable = statements(template, 'Publisher').filter(({ Action }) => String(Action).startsWith('dynamodb:'));
    expect(ofTable.map(({ Resource }) => Resource)).toEqual([
      { 'Fn::GetAtt': [expect.stringMatching(/^OfficialAccounts/), 'StreamArn'] },
    ]);
  });

  test('there are no other roles, and none with a managed or a second policy', () => {
    template.resourceCountIs('AWS::IAM::Role', 3);
    template.resourceCountIs('AWS::IAM::Policy', 3);
    template.allResourcesProperties('AWS::IAM::Role', { ManagedPolicyArns: Match.absent(), Policies: Match.absent() });
  });
});

test('without authentication, the receiver may neither read a secret nor fill the dead-letter queue', () => {
  expect(permissions(Template.fromJSON(readTemplate({ authentication: 'off' })), 'Receiver')).toEqual(
    sorted([...own('Receiver'), ['dynamodb:UpdateItem', 'OfficialAccounts'], ['sqs:SendMessage', 'Parked']]),
  );
});
