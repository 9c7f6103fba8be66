import { join } from 'node:path';
import { Aws, CfnOutput, Duration, RemovalPolicy, Stack, Stage, Validations } from 'aws-cdk-lib';
import { AccessLogFormat } from 'aws-cdk-lib/aws-apigateway';
import { HttpApi, HttpMethod, HttpStage, LogGroupLogDestination } from 'aws-cdk-lib/aws-apigatewayv2';
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import { AttributeType, Billing, TableV2 } from 'aws-cdk-lib/aws-dynamodb';
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import {
  Architecture,
  Code,
  EventSourceMapping,
  Function,
  Runtime,
  Tracing,
  type CfnFunction,
  type FunctionProps,
} from 'aws-cdk-lib/aws-lambda';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { Queue, QueueEncryption, type QueueProps } from 'aws-cdk-lib/aws-sqs';
import type { Construct } from 'constructs';
import type { Environment, RedriveEnvironment } from '../lambda/config.ts';
import { MAX_RECEIPTS } from '../lambda/limits.ts';
import type { Settings } from './app.ts';
import { alarms, type Queues } from './monitoring.ts';

const ROUTE = '/webhook';

/** For ten messages at a time, with the pauses between the attempts to store them. */
const REDRIVE_TIMEOUT = Duration.seconds(30);

interface FunctionSettings extends Pick<FunctionProps, 'description' | 'code' | 'timeout'> {
  environment: Environment | RedriveEnvironment;
  /** IAM actions, and the ARNs of what they may be done to. */
  permissions: Record<string, string[]>;
}

function commonEnvironment(settings: Settings, table: TableV2, parked: Queue): RedriveEnvironment {
  return { SDK_APP_ID: settings.sdkAppId, TABLE_NAME: table.tableName, PARKING_QUEUE_URL: parked.queueUrl };
}

/**
 * The receiver: HTTP API → function → table, with the webhook token beside it. What can't be stored waits in a queue
 * for the redrive. Nothing has a physical name.
 */
export class WebhookStack extends Stack {
  constructor(scope: Construct, id: string, settings: Settings) {
    super(scope, id, { description: "Receives Tencent Cloud Chat's official-account webhooks" });

    const table = this.officialAccountsTable();
    const token = settings.authentication === 'token' ? this.webhookToken() : undefined;
    const queues = this.queues();
    const receiver = this.receiver(settings, table, queues, token);
    this.redrive(settings, table, queues.parked);
    const api = this.httpApi(receiver);
    alarms(this, queues);

    this.output('WebhookUrl', `${api.apiEndpoint}${ROUTE}`, "Paste it into the Chat console as the webhook's URL");
    if (token !== undefined)
      this.output('ShowTokenCommand', showTokenCommand(token), 'Prints the token for the Chat console');
    this.output('TableName', table.tableName, "The DynamoDB table with the official accounts' records");
    this.output('ParkingQueueUrl', queues.parked.queueUrl, 'Deliveries that wait to be stored');
    this.output('DeadLetterQueueUrl', queues.deadLetters.queueUrl, 'Deliveries for people to look at: see the README');
  }

  private officialAccountsTable(): TableV2 {
    return new TableV2(this, 'OfficialAccounts', {
      partitionKey: { name: 'sdkAppId', type: AttributeType.STRING },
      sortKey: { name: 'officialAccountId', type: AttributeType.STRING },
      billing: Billing.onDemand(),
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
      // No REST call lists official accounts: a table lost is lost for good.
      deletionProtection: true,
      removalPolicy: RemovalPolicy.RETAIN,
    });
  }

  private webhookToken(): Secret {
    const token = new Secret(this, 'WebhookToken', {
      description: 'The token of the webhook authentication, as set in the Chat console',
      // Chat's limits for a token are unknown; its sister product Live takes 1 to 128 characters.
      generateSecretString: { passwordLength: 32, excludePunctuation: true },
    });
    acknowledge(
      token,
      'AwsSolutions::AwsSolutions-SMG4',
      'the token is set by hand in the Chat console, so people rotate it: see the README',
    );
    return token;
  }

  private queues(): Queues {
    const properties: QueueProps = {
      encryption: QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      retentionPeriod: Duration.days(14), // the longest that there is: a delivery lost here is lost for good
    };
    const deadLetters = new Queue(this, 'DeadLetters', properties);
    for (const rule of ['AwsSolutions::AwsSolutions-SQS3', 'Serverless::Serverless-SQSRedrivePolicy']) {
      acknowledge(deadLetters, rule, 'it is the dead-letter queue');
    }
    const parked = new Queue(this, 'Parked', {
      ...properties,
      visibilityTimeout: Duration.seconds(6 * REDRIVE_TIMEOUT.toSeconds()), // what AWS advises, for batches that wait for a free instance
      deadLetterQueue: { queue: deadLetters, maxReceiveCount: MAX_RECEIPTS },
    });
    return { parked, deadLetters };
  }

  private receiver(settings: Settings, table: TableV2, queues: Queues, token: Secret | undefined): Function {
    const environment = {
      ...commonEnvironment(settings, table, queues.parked),
      DEAD_LETTER_QUEUE_URL: queues.deadLetters.queueUrl,
      ...(settings.allowedCidrs.length > 0 && { ALLOWED_CIDRS: settings.allowedCidrs.join() }),
      ...(token === undefined
        ? { AUTHENTICATION: 'off' as const }
        : { AUTHENTICATION: 'token' as const, TOKEN_SECRET_ARN: token.secretArn }),
    } satisfies Environment;
    const receiver = this.function('Receiver', {
      description: "Checks Chat's deliveries and stores official accounts",
      code: this.bundle('index'),
      timeout: Duration.seconds(10), // Chat stops listening after 2 s; a late write still counts
      environment,
      permissions: {
        'dynamodb:UpdateItem': [table.tableArn],
        // Without a signature to prove the sender, refused deliveries are not kept: strangers could fill the queue.
        'sqs:SendMessage': [queues.parked.queueArn, ...(token === undefined ? [] : [queues.deadLetters.queueArn])],
        ...(token !== undefined && { 'secretsmanager:GetSecretValue': [token.secretArn] }),
      },
    });
    acknowledge(
      receiver,
      'Serverless::Serverless-LambdaDLQ',
      'API Gateway calls it synchronously: no event waits that a queue could take',
    );
    return receiver;
  }

  private redrive(settings: Settings, table: TableV2, parked: Queue): void {
    const redrive = this.function('Redrive', {
      description: 'Stores the deliveries that could not be stored at once',
      code: this.bundle('redrive'),
      timeout: REDRIVE_TIMEOUT,
      environment: commonEnvironment(settings, table, parked),
      permissions: {
        'dynamodb:UpdateItem': [table.tableArn],
        'sqs:ReceiveMessage': [parked.queueArn],
        'sqs:DeleteMessage': [parked.queueArn],
        'sqs:GetQueueAttributes': [parked.queueArn],
        'sqs:ChangeMessageVisibility': [parked.queueArn],
      },
    });
    acknowledge(redrive, 'Serverless::Serverless-LambdaDLQ', 'what it fails to store goes back to the parking queue');
    const source = new EventSourceMapping(this, 'RedriveSource', {
      target: redrive,
      eventSourceArn: parked.queueArn,
      batchSize: 10,
      reportBatchItemFailures: true,
      maxConcurrency: 5, // a store that has just come back needs no stampede
    });
    if (redrive.role !== undefined) source.node.addDependency(redrive.role); // Lambda checks its rights at once
    acknowledge(
      source,
      'Serverless::Serverless-LambdaEventSourceMappingDestination',
      'that is for streams; what a queue can’t get rid of goes to its dead-letter queue',
    );
  }

  /** A function with a role that may do the given actions, write its log and its traces, and nothing else. */
  private function(id: string, { permissions, ...properties }: FunctionSettings): Function {
    const logGroup = this.logGroup(`${id}Log`);
    const role = new Role(this, `${id}Role`, { assumedBy: new ServicePrincipal('lambda.amazonaws.com') });
    logGroup.grantWrite(role);
    for (const [action, resources] of Object.entries(permissions)) {
      role.addToPolicy(new PolicyStatement({ actions: [action], resources }));
    }
    const lambda = new Function(this, id, {
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      handler: 'index.handler',
      memorySize: 512, // below it even warm deliveries wait for CPU
      role,
      logGroup,
      tracing: Tracing.ACTIVE,
      ...properties,
    });
    // CDK makes every function depend on its role, which cfn-lint finds superfluous.
    (lambda.node.defaultChild as CfnFunction).addMetadata('cfn-lint', { config: { ignore_checks: ['W3005'] } });
    acknowledge(role, 'AwsSolutions::AwsSolutions-IAM5[Resource::*]', "X-Ray's actions know no resources");
    return lambda;
  }

  private httpApi(receiver: Function): HttpApi {
    const api = new HttpApi(this, 'Api', { createDefaultStage: false, description: "Takes Chat's webhook deliveries" });
    const [route] = api.addRoutes({
      path: ROUTE,
      methods: [HttpMethod.POST],
      integration: new HttpLambdaIntegration('ReceiverIntegration', receiver),
    });
    if (route !== undefined)
      acknowledge(
        route,
        'AwsSolutions::AwsSolutions-APIG4',
        'Chat signs its deliveries; the function checks the signature',
      );
    // The stage named $default adds nothing to the URL: Chat takes none with a $ in it.
    new HttpStage(this, 'ApiStage', {
      httpApi: api,
      stageName: '$default',
      autoDeploy: true,
      throttle: { rateLimit: 1_000, burstLimit: 2_000 },
      accessLogSettings: {
        destination: new LogGroupLogDestination(this.logGroup('ApiAccessLog')),
        format: ACCESS_LOG,
      },
    });
    return api;
  }

  private logGroup(id: string): LogGroup {
    return new LogGroup(this, id, { retention: RetentionDays.THREE_MONTHS, removalPolicy: RemovalPolicy.DESTROY });
  }

  /** @param entry the stem of a file in `lambda/`. */
  private bundle(entry: string): Code {
    const outdir = join(Stage.of(this)?.outdir ?? 'cdk.out', 'bundle', entry);
    return Code.fromCustomCommand(outdir, [
      process.execPath,
      join(import.meta.dirname, 'bundle.ts'),
      join(import.meta.dirname, '..', 'lambda', `${entry}.ts`),
      outdir,
    ]);
  }

  private output(name: string, value: string, description: string): void {
    new CfnOutput(this, name, { value, description });
  }
}

/**
 * Named fields only, and of these none that the caller words: the query string carries Sign, and a quote
 * in a path or a user agent would break the line.
 */
const ACCESS_LOG = AccessLogFormat.custom(
  JSON.stringify({
    requestId: '$context.requestId',
    requestTime: '$context.requestTime',
    sourceIp: '$context.identity.sourceIp',
    httpMethod: '$context.httpMethod',
    routeKey: '$context.routeKey',
    protocol: '$context.protocol',
    status: '$context.status',
    responseLength: '$context.responseLength',
    responseLatency: '$context.responseLatency',
    integrationStatus: '$context.integration.status',
    integrationLatency: '$context.integration.latency',
    integrationRequestId: '$context.integration.requestId',
    integrationError: '$context.integration.error',
    error: '$context.error.message',
  }),
);

function showTokenCommand(token: Secret): string {
  return `aws secretsmanager get-secret-value --region ${Aws.REGION} --secret-id ${token.secretArn} --query SecretString --output text`;
}

/** Accepts a cdk-nag rule's finding on a construct and what is below it, with the reason why it is right there. */
function acknowledge(construct: Construct, id: string, reason: string): void {
  Validations.of(construct).acknowledge({ id, reason });
}
