import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { webhookApp } from '../../infra/app.ts';
import { ROOT } from './local-receiver.ts';

const { context: flags } = JSON.parse(readFileSync(join(ROOT, 'cdk.json'), 'utf8'));

function synthesized(context: Record<string, string> = {}): Template {
  return Template.fromStack(webhookApp({ context: { ...flags, sdkAppId: '1400000000', ...context } }).stack);
}

type Statement = { Action: string | string[]; Resource: unknown; Effect: string };

/** Every action that a role of the stack has, with the resource that it is for. */
function permissions(template: Template): [string, unknown][] {
  return Object.values(template.findResources('AWS::IAM::Policy'))
    .flatMap(({ Properties }) => Properties.PolicyDocument.Statement as Statement[])
    .flatMap(({ Action, Resource }) => [Action].flat().map((action): [string, unknown] => [action, Resource]))
    .toSorted(([a], [b]) => a.localeCompare(b));
}

describe('the stack', () => {
  let template: Template;
  beforeAll(() => {
    template = synthesized();
  });

  test('lets the function do what it calls, on the very resources, and nothing else', () => {
    const [[logGroup] = []] = Object.entries(template.findResources('AWS::Logs::LogGroup'));
    const [[table] = []] = Object.entries(template.findResources('AWS::DynamoDB::GlobalTable'));
    const [[secret] = []] = Object.entries(template.findResources('AWS::SecretsManager::Secret'));
    expect(permissions(template)).toEqual([
      ['dynamodb:UpdateItem', { 'Fn::GetAtt': [table, 'Arn'] }],
      ['logs:CreateLogStream', { 'Fn::GetAtt': [logGroup, 'Arn'] }],
      ['logs:PutLogEvents', { 'Fn::GetAtt': [logGroup, 'Arn'] }],
      ['secretsmanager:GetSecretValue', { Ref: secret }],
      ['xray:PutTelemetryRecords', '*'],
      ['xray:PutTraceSegments', '*'],
    ]);
    template.resourceCountIs('AWS::IAM::Role', 1);
    template.hasResourceProperties('AWS::IAM::Role', { ManagedPolicyArns: Match.absent(), Policies: Match.absent() });
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
    expect(permissions(template).map(([action]) => action)).not.toContain('secretsmanager:GetSecretValue');
    expect(Object.keys(template.findOutputs('*'))).toEqual(['WebhookUrl', 'TableName']);
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
