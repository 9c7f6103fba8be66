import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Duration, Stack, Stage } from 'aws-cdk-lib';
import type { ITable } from 'aws-cdk-lib/aws-dynamodb';
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import {
  Architecture,
  Code,
  EventSourceMapping,
  Function,
  Runtime,
  RuntimeFamily,
  Tracing,
  type FunctionProps,
  type IFunction,
} from 'aws-cdk-lib/aws-lambda';
import type { LogGroup } from 'aws-cdk-lib/aws-logs';
import type { ISecret } from 'aws-cdk-lib/aws-secretsmanager';
import type { Construct } from 'constructs';
import type { Environment, RedriveEnvironment } from '../lambda/config.ts';
import { acceptDependencies, acknowledge } from './findings.ts';
import { permit, type Permissions } from './permissions.ts';
import { REDRIVE_TIMEOUT, type Queues } from './queues.ts';
import type { Settings } from './settings.ts';

/** Entry points of the functions: file names in `lambda/`, without `.ts`. */
export const ENTRIES = ['receiver', 'redrive', 'publisher', 'probe'] as const;

export interface Functions {
  /** Checks Chat's deliveries and stores official accounts. */
  receiver: Function;
  receiverLog: LogGroup;
  /** The function or alias that the API invokes: the receiver, or the alias of its warm instances. */
  invoked: IFunction;
  /** Stores parked deliveries. */
  redrive: Function;
}

export interface FunctionsProps {
  settings: Omit<Settings, 'stage'>;
  serviceName: string;
  table: ITable;
  queues: Queues;
  token: ISecret | undefined;
  /** Creates a log group. */
  log: (id: string) => LogGroup;
}

/** Creates the receiver and the redrive, each with a role of least privilege. */
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
    code: functionCode(scope, 'receiver'),
    timeout: Duration.seconds(10), // Chat stops waiting after 2 s, but a later write still counts
    environment: {
      ...environment,
      DEAD_LETTER_QUEUE_URL: queues.deadLetters.queueUrl,
      ...(settings.allowedCidrs !== undefined && { ALLOWED_CIDRS: settings.allowedCidrs.join() }),
      ...(settings.forwardUrl !== undefined && { FORWARD_URL: settings.forwardUrl }),
      ...(token === undefined
        ? { AUTHENTICATION: 'off' as const }
        : { AUTHENTICATION: 'token' as const, TOKEN_SECRET_ARN: token.secretArn }),
    } satisfies Environment,
    permissions: {
      'dynamodb:UpdateItem': [table],
      // Without authentication, rejected deliveries are not dead-lettered, because strangers could fill the queue.
      'sqs:SendMessage': [queues.parked, ...(token === undefined ? [] : [queues.deadLetters])],
      ...(token !== undefined && { 'secretsmanager:GetSecretValue': [token] }),
    },
    noDeadLetterQueue: 'API Gateway invokes it synchronously, so there is no queued event to keep',
  });

  const { lambda: redrive } = createFunction(scope, 'Redrive', log, {
    description: 'Stores the deliveries that could not be stored at once',
    code: functionCode(scope, 'redrive'),
    timeout: REDRIVE_TIMEOUT,
    environment,
    permissions: {
      'dynamodb:UpdateItem': [table],
      'sqs:ReceiveMessage': [queues.parked],
      'sqs:DeleteMessage': [queues.parked],
      'sqs:GetQueueAttributes': [queues.parked],
      'sqs:ChangeMessageVisibility': [queues.parked],
    },
    noDeadLetterQueue: 'deliveries that it cannot store return to the parking queue',
  });
  const source = new EventSourceMapping(scope, 'RedriveSource', {
    target: redrive,
    eventSourceArn: queues.parked.queueArn,
    batchSize: 10,
    reportBatchItemFailures: true,
    maxConcurrency: 5, // DynamoDB must not get all parked deliveries at once after an outage
  });
  // Lambda checks the role's permissions when it creates the mapping.
  if (redrive.role !== undefined) source.node.addDependency(redrive.role);
  acknowledge(
    source,
    'Serverless::Serverless-LambdaEventSourceMappingDestination',
    'only mappings of streams have a destination: the parking queue has a dead-letter queue',
  );

  const invoked = withWarmInstances(receiver, settings.provisionedConcurrency);
  return { receiver, receiverLog, invoked, redrive };
}

interface FunctionSettings extends Pick<FunctionProps, 'description' | 'code' | 'timeout'> {
  environment: Record<string, string>;
  permissions: Permissions;
  /** The reason why it has no dead-letter queue, for cdk-nag. */
  noDeadLetterQueue: string;
}

/** Not CDK's constant, which older versions of aws-cdk-lib lack. */
const NODE_24 = new Runtime('nodejs24.x', RuntimeFamily.NODEJS, { supportsInlineCode: true });

/** Creates a function with its role and its log group. */
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
    runtime: NODE_24,
    architecture: Architecture.ARM_64,
    handler: 'index.handler',
    memorySize: 512, // with less, even warm deliveries wait for CPU
    role,
    logGroup,
    tracing: Tracing.ACTIVE,
    ...properties,
  });
  acceptDependencies(lambda);
  acknowledge(lambda, 'Serverless::Serverless-LambdaDLQ', noDeadLetterQueue);
  acknowledge(role, 'AwsSolutions::AwsSolutions-IAM5[Resource::*]', "X-Ray's actions have no resources");
  return { lambda, logGroup, role };
}

/** Returns an alias with the given number of warm instances, or the function itself if the number is 0. */
function withWarmInstances(lambda: Function, count: number): IFunction {
  if (count === 0) return lambda;
  const alias = lambda.addAlias('live', { provisionedConcurrentExecutions: count });
  return alias as IFunction; // CDK's types do not support exactOptionalPropertyTypes
}

/** Folder of the bundles. All constructs and stages of the process share it. */
let bundleFolder = '';

/** Returns the code of a function. The npm package contains the bundles; in a clone, the first call builds them. */
export function functionCode(scope: Construct, entry: (typeof ENTRIES)[number]): Code {
  const packaged = join(import.meta.dirname, 'bundle', entry);
  if (existsSync(packaged)) return Code.fromAsset(packaged);
  // For example for `cdk list` and `cdk destroy`, which need no bundles.
  if (!Stack.of(scope).bundlingRequired) return Code.fromInline('// not bundled');
  if (!existsSync(bundleFolder)) {
    bundleFolder = join(Stage.of(scope)?.outdir ?? 'cdk.out', 'bundle');
    // In a process of its own, because a construct can't await esbuild. One process bundles all functions.
    execFileSync(process.execPath, [join(import.meta.dirname, 'bundle.ts'), bundleFolder, ...ENTRIES], {
      stdio: 'inherit',
    });
  }
  return Code.fromAsset(join(bundleFolder, entry));
}
