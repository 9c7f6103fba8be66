import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Duration, Stage } from 'aws-cdk-lib';
import type { ITable } from 'aws-cdk-lib/aws-dynamodb';
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import {
  Architecture,
  Code,
  EventSourceMapping,
  Function,
  Runtime,
  Tracing,
  type FunctionProps,
  type IFunction,
} from 'aws-cdk-lib/aws-lambda';
import type { LogGroup } from 'aws-cdk-lib/aws-logs';
import type { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import type { Construct } from 'constructs';
import type { Environment, RedriveEnvironment } from '../lambda/config.ts';
import { acceptDependencies, acknowledge } from './findings.ts';
import { permit, type Permissions } from './permissions.ts';
import { REDRIVE_TIMEOUT, type Queues } from './queues.ts';
import type { Settings } from './settings.ts';

/** The functions' entries: the stems of files in `lambda/`. */
export const ENTRIES = ['receiver', 'redrive', 'publisher', 'probe'] as const;

export interface Functions {
  /** Checks Chat's deliveries and stores official accounts. */
  receiver: Function;
  receiverLog: LogGroup;
  /** What the API invokes: the receiver, or its instances that are kept warm. */
  invoked: IFunction;
  /** Stores the deliveries that could not be stored at once. */
  redrive: Function;
}

export interface FunctionsProps {
  settings: Omit<Settings, 'stage'>;
  serviceName: string;
  table: ITable;
  queues: Queues;
  token: Secret | undefined;
  /** Creates a log group. */
  log: (id: string) => LogGroup;
}

/** Creates the functions, each with a role that may do what it calls and nothing else. */
export function functions(scope: Construct, props: FunctionsProps): Functions {
  const { settings, table, queues, token, log } = props;
  const environment: RedriveEnvironment = {
    SERVICE_NAME: props.serviceName,
    SDK_APP_ID: settings.sdkAppId,
    TABLE_NAME: table.tableName,
    PARKING_QUEUE_URL: queues.parked.queueUrl,
  };

  const { lambda: receiver, logGroup: receiverLog } = createFunction(scope, 'Receiver', log, {
    description: "Checks Chat's deliveries and stores official accounts",
    code: bundle(scope, 'receiver'),
    timeout: Duration.seconds(10), // Chat stops listening after 2 s; a late write still counts
    environment: {
      ...environment,
      DEAD_LETTER_QUEUE_URL: queues.deadLetters.queueUrl,
      ...(settings.allowedCidrs !== undefined && { ALLOWED_CIDRS: settings.allowedCidrs.join() }),
      ...(token === undefined
        ? { AUTHENTICATION: 'off' as const }
        : { AUTHENTICATION: 'token' as const, TOKEN_SECRET_ARN: token.secretArn }),
    } satisfies Environment,
    permissions: {
      'dynamodb:UpdateItem': [table],
      // Without a signature to prove the sender, refused deliveries are not kept: strangers could fill the queue.
      'sqs:SendMessage': [queues.parked, ...(token === undefined ? [] : [queues.deadLetters])],
      ...(token !== undefined && { 'secretsmanager:GetSecretValue': [token] }),
    },
    noDeadLetterQueue: 'API Gateway calls it synchronously: no event waits that a queue could take',
  });

  const { lambda: redrive } = createFunction(scope, 'Redrive', log, {
    description: 'Stores the deliveries that could not be stored at once',
    code: bundle(scope, 'redrive'),
    timeout: REDRIVE_TIMEOUT,
    environment,
    permissions: {
      'dynamodb:UpdateItem': [table],
      'sqs:ReceiveMessage': [queues.parked],
      'sqs:DeleteMessage': [queues.parked],
      'sqs:GetQueueAttributes': [queues.parked],
      'sqs:ChangeMessageVisibility': [queues.parked],
    },
    noDeadLetterQueue: 'what it fails to store goes back to the parking queue',
  });
  const source = new EventSourceMapping(scope, 'RedriveSource', {
    target: redrive,
    eventSourceArn: queues.parked.queueArn,
    batchSize: 10,
    reportBatchItemFailures: true,
    maxConcurrency: 5, // a store that has just come back must not get all at once
  });
  if (redrive.role !== undefined) source.node.addDependency(redrive.role); // Lambda checks its rights at once
  acknowledge(
    source,
    'Serverless::Serverless-LambdaEventSourceMappingDestination',
    'that is for streams; what a queue can’t get rid of goes to its dead-letter queue',
  );

  const invoked = withWarmInstances(receiver, settings.provisionedConcurrency);
  return { receiver, receiverLog, invoked, redrive };
}

interface FunctionSettings extends Pick<FunctionProps, 'description' | 'code' | 'timeout'> {
  environment: Record<string, string>;
  permissions: Permissions;
  /** Why it has no dead-letter queue. */
  noDeadLetterQueue: string;
}

export function createFunction(
  scope: Construct,
  id: string,
  log: (id: string) => LogGroup,
  { permissions, noDeadLetterQueue, ...properties }: FunctionSettings,
) {
  const logGroup = log(`${id}Log`);
  const role = new Role(scope, `${id}Role`, { assumedBy: new ServicePrincipal('lambda.amazonaws.com') });
  logGroup.grantWrite(role);
  permit(role, permissions);
  const lambda = new Function(scope, id, {
    runtime: Runtime.NODEJS_24_X,
    architecture: Architecture.ARM_64,
    handler: 'index.handler',
    memorySize: 512, // below it even warm deliveries wait for CPU
    role,
    logGroup,
    tracing: Tracing.ACTIVE,
    ...properties,
  });
  acceptDependencies(lambda);
  acknowledge(lambda, 'Serverless::Serverless-LambdaDLQ', noDeadLetterQueue);
  acknowledge(role, 'AwsSolutions::AwsSolutions-IAM5[Resource::*]', "X-Ray's actions know no resources");
  return { lambda, logGroup, role };
}

/** @returns an alias with that many instances kept warm; the function itself where that is none. */
function withWarmInstances(lambda: Function, count: number): IFunction {
  if (count === 0) return lambda;
  const alias = lambda.addAlias('live', { provisionedConcurrentExecutions: count });
  return alias as IFunction; // its types don't know exactOptionalPropertyTypes
}

/** Where this process has bundled the functions: a second construct, or a second stage of an app, takes the same. */
let bundled = '';

/** Bundles the functions' code, unless it is there: the npm package has it ready, beside this module. */
export function bundle(scope: Construct, entry: (typeof ENTRIES)[number]): Code {
  const ready = join(import.meta.dirname, 'bundle', entry);
  if (existsSync(ready)) return Code.fromAsset(ready);
  if (!existsSync(bundled)) {
    bundled = join(Stage.of(scope)?.outdir ?? 'cdk.out', 'bundle');
    // All at once, in a process of its own: a construct can't wait for esbuild.
    execFileSync(process.execPath, [join(import.meta.dirname, 'bundle.ts'), bundled, ...ENTRIES], { stdio: 'inherit' });
  }
  return Code.fromAsset(join(bundled, entry));
}
