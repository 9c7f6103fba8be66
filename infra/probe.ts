import { Duration } from 'aws-cdk-lib';
import { Rule, Schedule } from 'aws-cdk-lib/aws-events';
import { LambdaFunction } from 'aws-cdk-lib/aws-events-targets';
import type { Function, IFunction } from 'aws-cdk-lib/aws-lambda';
import type { LogGroup } from 'aws-cdk-lib/aws-logs';
import type { ISecret } from 'aws-cdk-lib/aws-secretsmanager';
import type { Construct } from 'constructs';
import type { ProbeEnvironment } from '../lambda/config.ts';
import { acknowledge } from './findings.ts';
import { createFunction, functionCode } from './functions.ts';

export interface ProbeProps {
  /** Minutes between two probes. */
  minutes: number;
  /** The public URL of the webhook. */
  url: string;
  sdkAppId: string;
  serviceName: string;
  token: ISecret | undefined;
  /** Creates a log group. */
  log: (id: string) => LogGroup;
}

/** Creates the function that regularly calls the webhook as Chat does. Its errors turn on the alarm `ProbeFailed`. */
export function probe(scope: Construct, props: ProbeProps): Function {
  const { minutes, url, sdkAppId, serviceName, token, log } = props;
  const { lambda } = createFunction(scope, 'Probe', log, {
    description: 'Calls the webhook as Chat does, to see that it answers',
    code: functionCode(scope, 'probe'),
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
    noDeadLetterQueue: NO_DATA,
  });
  // Neither Lambda nor EventBridge retries a failed probe, because its failure is the signal.
  lambda.configureAsyncInvoke({ retryAttempts: 0 });
  acknowledge(lambda, 'Serverless::Serverless-LambdaAsyncFailureDestination', NO_DATA);
  const rule = new Rule(scope, 'ProbeSchedule', {
    description: 'When the probe calls the webhook',
    schedule: Schedule.rate(Duration.minutes(minutes)),
    // CDK's types do not support exactOptionalPropertyTypes.
    targets: [new LambdaFunction(lambda as IFunction, { retryAttempts: 0 })],
  });
  acknowledge(rule, 'Serverless::Serverless-EventBusDLQ', NO_DATA);
  return lambda;
}

const NO_DATA = 'a missed probe holds no data, and the next one follows within the hour';
