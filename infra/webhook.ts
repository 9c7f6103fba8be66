import { RemovalPolicy, Stack, Token } from 'aws-cdk-lib';
import type { DomainName, HttpApi } from 'aws-cdk-lib/aws-apigatewayv2';
import { Stats, type Alarm, type Dashboard, type Metric, type MetricOptions } from 'aws-cdk-lib/aws-cloudwatch';
import type { ITable, Table, TableV2 } from 'aws-cdk-lib/aws-dynamodb';
import { Rule, type EventBus, type IEventBus, type OnEventOptions } from 'aws-cdk-lib/aws-events';
import type { Grant, IGrantable } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import type { Function } from 'aws-cdk-lib/aws-lambda';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Secret, type ISecret } from 'aws-cdk-lib/aws-secretsmanager';
import type { ITopic, Topic } from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';
import { EVENT_SOURCE as SOURCE } from '../lambda/event-source.ts';
import { STORE_TIME } from '../lambda/metrics.ts';
import { alarms, createAlarmTopic, permitAlarms, subscribe } from './alarms.ts';
import { dashboard } from './dashboard.ts';
import { checkCdkVersion } from './cdk-version.ts';
import { environmentProblems } from './environment.ts';
import { acknowledge } from './findings.ts';
import { functions } from './functions.ts';
import { httpApi } from './http-api.ts';
import type { DeliveryOutcome, RejectionReason } from './delivery-outcomes.ts';
import { deliveryMetric } from './monitoring.ts';
import { accessLogNameOf, serviceNameOf } from './names.ts';
import { addOutputs } from './outputs.ts';
import { permitCloudWatch } from './permissions.ts';
import { probe } from './probe.ts';
import { officialAccountEvents, publishing } from './publisher.ts';
import { queues, type Queues } from './queues.ts';
import {
  LOCAL_CONTEXT,
  OPTIONS,
  readOptions,
  throwSettingsError,
  type Settings,
  type WebhookOptions,
} from './settings.ts';
import { officialAccounts, tableProblems } from './table.ts';

export { SettingsError } from './settings.ts';
export type { DeliveryOutcome, Queues, RejectionReason, WebhookOptions };

/** Source of the events, for the patterns of your rules. */
export const EVENT_SOURCE = SOURCE;

/** Props that only a CDK app can give, in addition to the options. */
export interface HostProps {
  /**
   * A customer-managed key that encrypts the table, the queues, the log groups, the token and the topic of the alarms.
   * The roles get the permissions on it that they need, and the key's policy lets CloudWatch use it. The event bus and
   * the environment of the functions hold no secret and use keys of AWS. The stack must have a region, unless `table`
   * is given.
   *
   * @default keys of AWS
   */
  readonly encryptionKey?: IKey | undefined;
  /**
   * How long CloudWatch keeps the logs.
   *
   * @default RetentionDays.THREE_MONTHS
   */
  readonly logRetention?: RetentionDays | undefined;
  /**
   * What happens to the table when the construct is removed. Only with `RETAIN`, the table has deletion protection: with the
   * other policies, CloudFormation must be able to delete it. `RETAIN_ON_UPDATE_OR_DELETE` keeps the table too, but lets
   * CloudFormation delete the new table of a first deployment that failed.
   *
   * @default RemovalPolicy.RETAIN
   */
  readonly removalPolicy?: RemovalPolicy | undefined;
  /**
   * An existing table, with partition key `sdkAppId` and sort key `officialAccountId` (both strings), and a stream of
   * new and old images. Import a table with its stream, and with its `encryptionKey` if it has a customer-managed key,
   * because the functions need permissions on that key. You remain responsible for its encryption and its removal.
   *
   * @default a new table
   */
  readonly table?: ITable | Table | TableV2 | undefined;
  /**
   * An existing secret with the token of your app, for example because your backend checks it as well. It contains only
   * the token, as plain text. Import it with its `encryptionKey` if it has a customer-managed key.
   *
   * @default a new secret with a generated token
   */
  readonly token?: ISecret | Secret | undefined;
  /**
   * An existing event bus of the stack's account and region.
   *
   * @default a new event bus
   */
  readonly eventBus?: IEventBus | EventBus | undefined;
  /**
   * An existing topic that every alarm notifies, in the stack's region. Its policy gets a statement that lets CloudWatch
   * publish. If another key encrypts it, the policy of that key must let CloudWatch use the key.
   *
   * @default a new topic
   */
  readonly alarmTopic?: ITopic | Topic | undefined;
}

/** Options of a rule for the events. */
export interface OnOfficialAccountEventOptions extends Omit<OnEventOptions, 'eventPattern' | 'crossStackScope'> {
  /**
   * Detail types, for example `Official Account Created`. lambda/README.md lists them.
   *
   * @default all
   */
  readonly detailTypes?: readonly string[] | undefined;
}

/** Props of the construct: the options of the stack, and what only a CDK app can give. */
export interface TencentChatWebhookProps extends WebhookOptions, HostProps {}

/**
 * Receives the webhooks of one Tencent Chat app: HTTP API → receiver → table, and table's stream → publisher → event
 * bus. Deliveries that cannot be stored at once wait in a queue for the redrive.
 *
 * Only the event bus and the access log have physical names: EventBridge requires one, and CloudWatch Logs gives API Gateway
 * access by the prefix of the name. The names contain the name of the stack or the path of the construct.
 */
export class TencentChatWebhook extends Construct {
  /** The URL for the Chat console. */
  readonly url: string;
  /** The secret with the webhook's token. Undefined if authentication is off. */
  readonly token: ISecret | undefined;
  /** The table of official accounts. */
  readonly table: ITable;
  /** The event bus with the changes of official accounts, for your rules. */
  readonly eventBus: IEventBus;
  /** The function that checks Chat's deliveries and stores official accounts. */
  readonly receiver: Function;
  /** The function that stores parked deliveries. */
  readonly redrive: Function;
  /** The function that publishes the changes of the table. */
  readonly publisher: Function;
  /** The function that regularly calls the webhook as Chat does. Undefined without `probeMinutes`. */
  readonly probe: Function | undefined;
  /** The queues of parked deliveries, of dead letters and of unpublished changes. */
  readonly queues: Queues;
  /** The HTTP API that Chat calls. */
  readonly api: HttpApi;
  /** The domain of `domainName`. Its DNS record must point to `regionalDomainName`. */
  readonly domain: DomainName | undefined;
  /** The topic that every alarm notifies. */
  readonly alarmTopic: ITopic;
  /** The alarms, the most urgent first. */
  readonly alarms: readonly Alarm[];
  /** The dashboard in CloudWatch. */
  readonly dashboard: Dashboard;

  readonly #sdkAppId: string;

  /** @throws SettingsError with all problems of the props. */
  constructor(scope: Construct, id: string, props: TencentChatWebhookProps) {
    super(scope, id);
    checkCdkVersion();
    const settings = checkProps(this, props);
    const {
      encryptionKey,
      removalPolicy = RemovalPolicy.RETAIN,
      logRetention: retention = RetentionDays.THREE_MONTHS,
    } = props;
    if (encryptionKey !== undefined) permitCloudWatch(this, encryptionKey);
    const encrypted = encryptionKey && { encryptionKey };
    const log = (logId: string, logGroupName?: string) =>
      new LogGroup(this, logId, {
        retention,
        removalPolicy: RemovalPolicy.DESTROY,
        ...(logGroupName !== undefined && { logGroupName }),
        ...encrypted,
      });
    const serviceName = serviceNameOf(this);
    this.#sdkAppId = settings.sdkAppId;

    this.table = (props.table ?? officialAccounts(this, { removalPolicy, encryptionKey })) as ITable;
    this.token =
      settings.authentication === 'off' ? undefined : ((props.token ?? webhookToken(this, encryptionKey)) as ISecret);
    this.queues = queues(this, { encryptionKey });

    const { table, token } = this;
    const lambdas = functions(this, { settings, serviceName, table, queues: this.queues, token, log });
    this.receiver = lambdas.receiver;
    this.redrive = lambdas.redrive;

    const { unpublished } = this.queues;
    this.eventBus = (props.eventBus ?? officialAccountEvents(this)) as IEventBus;
    this.publisher = publishing(this, { serviceName, table, unpublished, eventBus: this.eventBus, log });

    const accessLog = log('ApiAccessLog', accessLogNameOf(this));
    const { api, url, domain } = httpApi(this, { settings, handler: lambdas.invoked, log: accessLog });
    this.api = api;
    this.url = url;
    this.domain = domain;

    const { sdkAppId, probeMinutes: minutes } = settings;
    this.probe =
      minutes === undefined ? undefined : probe(this, { minutes, url: this.url, sdkAppId, serviceName, token, log });

    const monitored = {
      serviceName,
      api,
      functions: { Receiver: this.receiver, Redrive: this.redrive, Publisher: this.publisher },
      receiverLog: lambdas.receiverLog,
      table,
      queues: this.queues,
      probe: this.probe,
      forwards: settings.forwardUrl !== undefined,
    };
    this.alarmTopic = (props.alarmTopic ?? createAlarmTopic(this, encryptionKey)) as ITopic;
    permitAlarms(this, this.alarmTopic);
    if (settings.alarmEmail !== undefined) subscribe(this.alarmTopic, settings.alarmEmail);
    this.alarms = alarms(this, { topic: this.alarmTopic, monitored, settings });
    this.dashboard = dashboard(this, monitored, this.alarms);
  }

  /** Returns the number of deliveries with an outcome: by default, the sum over five minutes. */
  metricDeliveries(outcome: DeliveryOutcome, options?: MetricOptions): Metric {
    return deliveryMetric({ serviceName: serviceNameOf(this) }, { outcome }, options);
  }

  /**
   * Returns the number of deliveries that were rejected for a reason, for example `badSignature`: by default, the sum over five
   * minutes. lambda/README.md lists the reasons.
   */
  metricRejected(reason: RejectionReason, options?: MetricOptions): Metric {
    return deliveryMetric({ serviceName: serviceNameOf(this) }, { reason }, options);
  }

  /** Returns the milliseconds that DynamoDB took to store a delivery: by default, the average over five minutes. */
  metricStoreTime(options?: MetricOptions): Metric {
    const store = { metricName: STORE_TIME, statistic: Stats.AVERAGE, ...options };
    return deliveryMetric({ serviceName: serviceNameOf(this) }, { outcome: 'stored' }, store);
  }

  /** Lets a role, a user or a function read the records, and use the key of the table if it has one. */
  grantRead(grantee: IGrantable): Grant {
    return this.table.grantReadData(grantee);
  }

  /** Creates a rule that sends the events of this app's official accounts to a target. */
  onEvent(id: string, options: OnOfficialAccountEventOptions = {}): Rule {
    const { detailTypes, target, ...ruleOptions } = options;
    const rule = new Rule(this, id, {
      ...ruleOptions,
      eventBus: this.eventBus,
      eventPattern: {
        source: [EVENT_SOURCE],
        ...(detailTypes !== undefined && { detailType: [...detailTypes] }),
        detail: { sdkAppId: [this.#sdkAppId] }, // an event bus of the host may have the events of several apps
      },
    });
    rule.addTarget(target);
    return rule;
  }

  /**
   * Adds the outputs that the operator commands read, for example `ChatWebhookReceiverName`. Give the commands the stack's
   * name, and with several constructs in the stack, `--construct` with the prefix.
   *
   * @param prefix Letters and digits before the name of each output. By default the construct's ID, or nothing if the ID is
   *   `Default`.
   */
  addOutputs(prefix = this.node.id.replaceAll(/^Default$|[^A-Za-z\d]/g, '')): void {
    addOutputs(this, prefix);
  }
}

const HOST_PROPS = [
  'encryptionKey',
  'logRetention',
  'removalPolicy',
  'table',
  'token',
  'eventBus',
  'alarmTopic',
] satisfies (keyof HostProps)[];

function checkProps(construct: Construct, props: TencentChatWebhookProps): Settings {
  const names: readonly string[] = [...OPTIONS.filter((name) => name !== 'stage'), ...HOST_PROPS];
  // In JavaScript, a misspelt prop would be ignored without an error: an allow-list, for example.
  const problems = Object.keys(props)
    .filter((name) => !names.includes(name))
    .map((name) => `'${name}' is not a prop; the props are ${names.join(', ')}`);
  const settings = readOptions({ ...props }, problems, construct.node.tryGetContext(LOCAL_CONTEXT) === true);
  const { encryptionKey, table, removalPolicy, token, eventBus, alarmTopic } = props;
  if (token !== undefined && settings.authentication === 'off') {
    problems.push('token has no effect with authentication off');
  }
  if (encryptionKey !== undefined && table === undefined && Token.isUnresolved(Stack.of(construct).region)) {
    problems.push('encryptionKey needs a stack with a region, because of the table: give the stack env: { region }');
  }
  if (table !== undefined) problems.push(...tableProblems(table as ITable));
  problems.push(
    ...environmentProblems(construct, [
      { prop: 'certificateArn', arn: settings.certificateArn },
      { prop: 'encryptionKey', resource: encryptionKey, arn: encryptionKey?.keyArn },
      { prop: 'table', resource: table as ITable | undefined, arn: table?.tableArn },
      { prop: 'token', resource: token as ISecret | undefined, arn: token?.secretArn, allowsOtherAccount: true },
      { prop: 'eventBus', resource: eventBus as IEventBus | undefined, arn: eventBus?.eventBusArn },
      {
        prop: 'alarmTopic',
        resource: alarmTopic as ITopic | undefined,
        arn: alarmTopic?.topicArn,
        allowsOtherAccount: true,
      },
    ]),
  );
  if (table !== undefined && removalPolicy !== undefined) {
    problems.push('removalPolicy has no effect with table: set it on your table');
  }
  if (removalPolicy === RemovalPolicy.SNAPSHOT) {
    problems.push("removalPolicy is 'snapshot', but DynamoDB takes no snapshot when a table is deleted");
  }
  throwSettingsError(`The props of ${construct.node.path} are wrong`, problems);
  return settings;
}

function webhookToken(scope: Construct, encryptionKey: IKey | undefined): Secret {
  const token = new Secret(scope, 'WebhookToken', {
    description: 'The token of the webhook authentication, as set in the Chat console',
    // Tencent does not document the limits of the token. Its product Live accepts 1 to 128 characters.
    generateSecretString: { passwordLength: 32, excludePunctuation: true },
    ...(encryptionKey !== undefined && { encryptionKey }),
  });
  acknowledge(
    token,
    'AwsSolutions::AwsSolutions-SMG4',
    'people rotate the token, because they must set it in the Chat console: see infra/README.md',
  );
  return token;
}
