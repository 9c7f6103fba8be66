import { join } from 'node:path';
import { Aws, CfnOutput, CfnResource, Duration, RemovalPolicy, Stack, Stage, Validations } from 'aws-cdk-lib';
import { AccessLogFormat } from 'aws-cdk-lib/aws-apigateway';
import { DomainName, HttpApi, HttpMethod, HttpStage, LogGroupLogDestination } from 'aws-cdk-lib/aws-apigatewayv2';
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import { AttributeType, Billing, StreamViewType, TableV2 } from 'aws-cdk-lib/aws-dynamodb';
import { Certificate } from 'aws-cdk-lib/aws-certificatemanager';
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
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
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { EmailSubscription } from 'aws-cdk-lib/aws-sns-subscriptions';
import { Queue, QueueEncryption, type QueueProps } from 'aws-cdk-lib/aws-sqs';
import type { Construct } from 'constructs';
import type { Environment, RedriveEnvironment } from '../lambda/config.ts';
import { MAX_RECEIPTS } from '../lambda/limits.ts';
import { alarms } from './alarms.ts';
import { dashboard } from './dashboard.ts';
import { announcements } from './announcements.ts';
import type { Queues } from './monitoring.ts';
import type { Settings } from './settings.ts';

const ROUTE = '/webhook';

/** For ten messages at a time, with the pauses between the attempts to store them. */
const REDRIVE_TIMEOUT = Duration.seconds(30);

interface FunctionSettings extends Pick<FunctionProps, 'description' | 'code' | 'timeout'> {
  environment: Environment | RedriveEnvironment | Record<never, string>;
  /** IAM actions, and the ARNs of what they may be done to. */
  permissions: Record<string, string[]>;
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
    const redrive = this.redrive(settings, table, queues.parked);
    const announce = this.announce();
    const { bus, pipe } = announcements(this, table, announce, queues.unannounced, this.logGroup('PipeLog'));
    acceptDependencies(pipe);
    const { api, url, domain } = this.httpApi(settings, this.kept(receiver.lambda, settings.provisionedConcurrency));

    const functions = { Receiver: receiver.lambda, Redrive: redrive, Announce: announce };
    const watched = { api, functions, receiverLog: receiver.logGroup, table, queues, pipe };
    const topic = this.alarmTopic(settings.alarmEmail);
    const board = dashboard(this, watched, alarms(this, topic, watched, settings));

    this.output('WebhookUrl', `${url}${ROUTE}`, "Paste it into the Chat console as the webhook's URL");
    if (domain !== undefined)
      this.output('DomainTarget', domain.regionalDomainName, 'Point a CNAME or alias record of the domain to it');
    if (token !== undefined)
      this.output('ShowTokenCommand', showTokenCommand(token), 'Prints the token for the Chat console');
    this.output('TableName', table.tableName, "The DynamoDB table with the official accounts' records");
    this.output('EventBusName', bus.eventBusName, 'Announces new official accounts: let your rules listen here');
    this.output('PipeName', pipe.ref, 'Goes from the table to the event bus');
    this.output('DashboardName', board.dashboardName, 'Under Dashboards in the CloudWatch console');
    this.output('AlarmTopicArn', topic.topicArn, 'Every alarm is told to it');
    this.output('ParkingQueueUrl', queues.parked.queueUrl, 'Deliveries that wait to be stored');
    this.output('DeadLetterQueueUrl', queues.deadLetters.queueUrl, 'Deliveries for people to look at: see the README');
    this.output('UnannouncedQueueUrl', queues.unannounced.queueUrl, 'Changes that could not be announced');
  }

  private officialAccountsTable(): TableV2 {
    return new TableV2(this, 'OfficialAccounts', {
      partitionKey: { name: 'sdkAppId', type: AttributeType.STRING },
      sortKey: { name: 'officialAccountId', type: AttributeType.STRING },
      billing: Billing.onDemand(),
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
      dynamoStream: StreamViewType.NEW_AND_OLD_IMAGES,
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
    const unannounced = new Queue(this, 'Unannounced', properties);
    for (const queue of [deadLetters, unannounced]) {
      for (const rule of ['AwsSolutions::AwsSolutions-SQS3', 'Serverless::Serverless-SQSRedrivePolicy']) {
        acknowledge(queue, rule, 'it is a dead-letter queue');
      }
    }
    const parked = new Queue(this, 'Parked', {
      ...properties,
      visibilityTimeout: Duration.seconds(6 * REDRIVE_TIMEOUT.toSeconds()), // what AWS advises, for batches that wait for a free instance
      deadLetterQueue: { queue: deadLetters, maxReceiveCount: MAX_RECEIPTS },
    });
    return { parked, deadLetters, unannounced };
  }

  private receiver(settings: Settings, table: TableV2, queues: Queues, token: Secret | undefined) {
    const environment = {
      ...this.commonEnvironment(settings, table, queues.parked),
      DEAD_LETTER_QUEUE_URL: queues.deadLetters.queueUrl,
      ...(settings.allowedCidrs.length > 0 && { ALLOWED_CIDRS: settings.allowedCidrs.join() }),
      ...(token === undefined
        ? { AUTHENTICATION: 'off' as const }
        : { AUTHENTICATION: 'token' as const, TOKEN_SECRET_ARN: token.secretArn }),
    } satisfies Environment;
    const receiver = this.function('Receiver', {
      description: "Checks Chat's deliveries and stores official accounts",
      code: this.bundle('receiver'),
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
      receiver.lambda,
      'Serverless::Serverless-LambdaDLQ',
      'API Gateway calls it synchronously: no event waits that a queue could take',
    );
    return receiver;
  }

  private redrive(settings: Settings, table: TableV2, parked: Queue): Function {
    const { lambda: redrive } = this.function('Redrive', {
      description: 'Stores the deliveries that could not be stored at once',
      code: this.bundle('redrive'),
      timeout: REDRIVE_TIMEOUT,
      environment: this.commonEnvironment(settings, table, parked),
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
    return redrive;
  }

  private announce(): Function {
    const { lambda } = this.function('Announce', {
      description: "Makes events of the changes in the table's stream",
      code: this.bundle('announce'),
      timeout: Duration.seconds(10),
      environment: {},
      permissions: {},
    });
    acknowledge(lambda, 'Serverless::Serverless-LambdaDLQ', 'the pipe, which waits for its answer, has a queue');
    return lambda;
  }

  private commonEnvironment(settings: Settings, table: TableV2, parked: Queue): RedriveEnvironment {
    return {
      SERVICE_NAME: this.stackName,
      SDK_APP_ID: settings.sdkAppId,
      TABLE_NAME: table.tableName,
      PARKING_QUEUE_URL: parked.queueUrl,
    };
  }

  /** A function with a role that may do the given actions, write its log and its traces, and nothing else. */
  private function(id: string, { permissions, ...properties }: FunctionSettings) {
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
    acceptDependencies(lambda);
    acknowledge(role, 'AwsSolutions::AwsSolutions-IAM5[Resource::*]', "X-Ray's actions know no resources");
    return { lambda, logGroup };
  }

  /** The function itself, or an alias with that many instances kept warm. */
  private kept(lambda: Function, provisionedConcurrency: number): IFunction {
    if (provisionedConcurrency === 0) return lambda;
    const alias = lambda.addAlias('live', { provisionedConcurrentExecutions: provisionedConcurrency });
    return alias as IFunction; // its types don't know exactOptionalPropertyTypes
  }

  private httpApi({ domainName, certificateArn }: Settings, receiver: IFunction) {
    const domain =
      domainName === undefined || certificateArn === undefined
        ? undefined
        : new DomainName(this, 'Domain', {
            domainName,
            certificate: Certificate.fromCertificateArn(this, 'Certificate', certificateArn),
          });
    const api = new HttpApi(this, 'Api', {
      createDefaultStage: false,
      disableExecuteApiEndpoint: domain !== undefined, // a second address would be one more to guard
      description: "Takes Chat's webhook deliveries",
    });
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
    const stage = new HttpStage(this, 'ApiStage', {
      httpApi: api,
      stageName: '$default',
      autoDeploy: true,
      ...(domain !== undefined && { domainMapping: { domainName: domain } }),
      throttle: { rateLimit: 1_000, burstLimit: 2_000 },
      accessLogSettings: {
        destination: new LogGroupLogDestination(this.logGroup('ApiAccessLog')),
        format: ACCESS_LOG,
      },
    });
    acceptDependencies(stage);
    // Reading the API's own address throws where it is switched off.
    return { api, domain, url: domainName === undefined ? api.apiEndpoint : `https://${domainName}` };
  }

  private alarmTopic(email: string | undefined): Topic {
    const topic = new Topic(this, 'AlarmTopic', { displayName: `${this.stackName} alarms`, enforceSSL: true });
    // With a policy of its own, as for TLS, a topic loses the one that lets the account's alarms publish.
    topic.addToResourcePolicy(
      new PolicyStatement({
        principals: [new ServicePrincipal('cloudwatch.amazonaws.com')],
        actions: ['sns:Publish'],
        resources: [topic.topicArn],
        conditions: { StringEquals: { 'aws:SourceAccount': Aws.ACCOUNT_ID } },
      }),
    );
    if (email !== undefined) topic.addSubscription(new EmailSubscription(email));
    acknowledge(
      topic,
      'Serverless::Serverless-SNSRedrivePolicy',
      'an alarm whose mail is lost still stands in CloudWatch',
    );
    return topic;
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

/** CDK lets resources depend on others twice, which cfn-lint finds superfluous. */
function acceptDependencies(construct: Construct): void {
  for (const resource of construct.node.findAll().filter((child) => CfnResource.isCfnResource(child))) {
    resource.addMetadata('cfn-lint', { config: { ignore_checks: ['W3005'] } });
  }
}

/** Accepts a cdk-nag rule's finding on a construct and what is below it, with the reason why it is right there. */
function acknowledge(construct: Construct, id: string, reason: string): void {
  Validations.of(construct).acknowledge({ id, reason });
}
