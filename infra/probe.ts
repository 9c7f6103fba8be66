import { Duration } from 'aws-cdk-lib';
import { Rule, Schedule } from 'aws-cdk-lib/aws-events';
import { LambdaFunction } from 'aws-cdk-lib/aws-events-targets';
import type { Function, IFunction } from 'aws-cdk-lib/aws-lambda';
import type { LogGroup } from 'aws-cdk-lib/aws-logs';
import type { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import type { Construct } from 'constructs';
import type { ProbeEnvironment } from '../lambda/config.ts';
import { acknowledge } from './findings.ts';
import { bundle, createFunction } from './functions.ts';

export interface ProbeProps {
  /** How many minutes there are between two probes. */
  minutes: number;
  /** The public URL of the webhook. */
  url: string;
  sdkAppId: string;
  serviceName: string;
  token: Secret | undefined;
  /** Creates a log group. */
  log: (id: string) => LogGroup;
}

/** Creates the function that calls the webhook as Chat does, again and again. Its errors are an alarm. */
export function probe(scope: Construct, props: ProbeProps): Function {
  const { minutes, url, sdkAppId, serviceName, token, log } = props;
  const { lambda } = createFunction(scope, 'Probe', log, {
    description: 'Calls the webhook as Chat does, to see that it answers',
    code: bundle(scope, 'probe'),
    timeout: Duration.seconds(30),
    environment: {
      SERVICE_NAME: serviceName,
      SDK_APP_ID: sdkAppId,
      WEBHOOK_URL: url,
      ...(token === undefined
        ? { AUTHENTICATION: 'off' as const }
        : { AUTHENTICATION: 'token' as const, TOKEN_SECRET_ARN: token.secretArn }),
    } satisfies ProbeEnvironment,
    permissions: token === undefined ? {} : { 'secretsmanager:GetSecretValue': [token] },
    noDeadLetterQueue: NEXT_ONE,
  });
  // One that fails is told of, and not tried again: neither by Lambda, nor by EventBridge below.
  lambda.configureAsyncInvoke({ retryAttempts: 0 });
  acknowledge(lambda, 'Serverless::Serverless-LambdaAsyncFailureDestination', NEXT_ONE);
  const rule = new Rule(scope, 'ProbeSchedule', {
    description: 'When the probe calls the webhook',
    schedule: Schedule.rate(Duration.minutes(minutes)),
    // Its types don't know exactOptionalPropertyTypes.
    targets: [new LambdaFunction(lambda as IFunction, { retryAttempts: 0 })],
  });
  acknowledge(rule, 'Serverless::Serverless-EventBusDLQ', NEXT_ONE);
  return lambda;
}

const NEXT_ONE = 'a probe that is not made holds nothing that could be lost: the next one comes soon';
