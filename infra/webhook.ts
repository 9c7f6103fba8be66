import { RemovalPolicy, Stack, Token } from 'aws-cdk-lib';
import type { DomainName, HttpApi } from 'aws-cdk-lib/aws-apigatewayv2';
import type { Alarm, Dashboard } from 'aws-cdk-lib/aws-cloudwatch';
import type { ITable, Table, TableV2 } from 'aws-cdk-lib/aws-dynamodb';
import type { EventBus } from 'aws-cdk-lib/aws-events';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import type { Function } from 'aws-cdk-lib/aws-lambda';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import type { Topic } from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';
import { EVENT_SOURCE as SOURCE } from '../lambda/event-source.ts';
import { alarms, alarmTopic } from './alarms.ts';
import { dashboard } from './dashboard.ts';
import { acknowledge } from './findings.ts';
import { functions } from './functions.ts';
import { httpApi } from './http-api.ts';
import { serviceNameOf } from './monitoring.ts';
import { permitCloudWatch } from './permissions.ts';
import { probe } from './probe.ts';
import { publishing } from './publisher.ts';
import { queues, type Queues } from './queues.ts';
import { OPTIONS, readOptions, throwIfAny, type Settings, type WebhookOptions } from './settings.ts';
import { officialAccounts, tableProblems } from './table.ts';

export { SettingsError } from './settings.ts';
export type { Queues, WebhookOptions };

/** Source of the events: let your rules match it. */
export const EVENT_SOURCE = SOURCE;

/** What a CDK app gives, beside the options. */
export interface HostProps {
  /**
   * A key of yours that encrypts the table, the queues, the log groups, the token and the alarms' topic. The roles get the
   * rights that this takes, and CloudWatch those in the key's policy. The event bus and the environment of the functions,
   * which hold no secret, stay with AWS's own keys. The stack must know its region, unless the table is yours as well.
   *
   * @default AWS's own keys
   */
  readonly encryptionKey?: IKey | undefined;
  /**
   * How long logs are kept.
   *
   * @default RetentionDays.THREE_MONTHS
   */
  readonly logRetention?: RetentionDays | undefined;
  /**
   * What becomes of the table when the construct is removed. With `DESTROY`, it has no deletion protection either.
   *
   * @default RemovalPolicy.RETAIN
   */
  readonly removalPolicy?: RemovalPolicy | undefined;
  /**
   * A table of yours: partition key `sdkAppId`, sort key `officialAccountId`, both text, with a stream of new and old images.
   * One that is imported must be so with its stream, and with its `encryptionKey` where it has one of yours: the functions
   * need the right to it. Its encryption and its removal are yours.
   *
   * @default a new table
   */
  readonly table?: ITable | Table | TableV2 | undefined;
}

export interface TencentChatWebhookProps extends WebhookOptions, HostProps {}

/**
 * Receives the webhooks of one Tencent Chat app: HTTP API → function → table, and from the table's stream to an event bus.
 * What can't be stored waits in a queue for the redrive.
 *
 * Only the event bus has a physical name, since it can't do without one: CDK makes it from the construct's path.
 */
export class TencentChatWebhook extends Construct {
  /** The URL for the Chat console. */
  readonly url: string;
  /** The secret that holds the webhook's token; none where authentication is off. */
  readonly token: Secret | undefined;
  /** The official accounts' records. */
  readonly table: ITable;
  /** Publishes changes of official accounts: let your rules listen here. */
  readonly eventBus: EventBus;
  /** The function that checks Chat's deliveries and stores official accounts. */
  readonly receiver: Function;
  /** The function that stores what was parked. */
  readonly redrive: Function;
  /** The function that publishes the table's changes. */
  readonly publisher: Function;
  /** The function that calls the webhook as Chat does; none without `probeMinutes`. */
  readonly probe: Function | undefined;
  /** What waits to be stored, what people must look at, and what could not be published. */
  readonly queues: Queues;
  readonly api: HttpApi;
  /** The webhook's own domain, if `domainName` is given: its DNS record must point to `regionalDomainName`. */
  readonly domain: DomainName | undefined;
  /** Every alarm is told to it. */
  readonly alarmTopic: Topic;
  /** The most urgent first. */
  readonly alarms: readonly Alarm[];
  readonly dashboard: Dashboard;

  /** @throws SettingsError, which names everything that is wrong with the props. */
  constructor(scope: Construct, id: string, props: TencentChatWebhookProps) {
    super(scope, id);
    const settings = checked(this, props);
    const {
      encryptionKey,
      removalPolicy = RemovalPolicy.RETAIN,
      logRetention: retention = RetentionDays.THREE_MONTHS,
    } = props;
    if (encryptionKey !== undefined) permitCloudWatch(this, encryptionKey);
    const encrypted = encryptionKey && { encryptionKey };
    const log = (logId: string) =>
      new LogGroup(this, logId, { retention, removalPolicy: RemovalPolicy.DESTROY, ...encrypted });
    const serviceName = serviceNameOf(this);

    this.table = (props.table ?? officialAccounts(this, { removalPolicy, encryptionKey })) as ITable;
    this.token = settings.authentication === 'token' ? webhookToken(this, encryptionKey) : undefined;
    this.queues = queues(this, { encryptionKey });

    const { table, token } = this;
    const lambdas = functions(this, { settings, serviceName, table, queues: this.queues, token, log });
    this.receiver = lambdas.receiver;
    this.redrive = lambdas.redrive;

    const { unpublished } = this.queues;
    const { bus, publisher } = publishing(this, { serviceName, table, unpublished, log });
    this.eventBus = bus;
    this.publisher = publisher;

    const { api, url, domain } = httpApi(this, { settings, handler: lambdas.invoked, log: log('ApiAccessLog') });
    this.api = api;
    this.url = url;
    this.domain = domain;

    const { sdkAppId, probeMinutes: minutes } = settings;
    this.probe =
      minutes === undefined ? undefined : probe(this, { minutes, url: this.url, sdkAppId, serviceName, token, log });

    const watched = {
      serviceName,
      api,
      functions: { Receiver: this.receiver, Redrive: this.redrive, Publisher: publisher },
      receiverLog: lambdas.receiverLog,
      table,
      queues: this.queues,
      probe: this.probe,
    };
    this.alarmTopic = alarmTopic(this, { serviceName, encryptionKey, email: settings.alarmEmail });
    this.alarms = alarms(this, { topic: this.alarmTopic, watched, settings });
    this.dashboard = dashboard(this, watched, this.alarms);
  }
}

const HOST_PROPS = ['encryptionKey', 'logRetention', 'removalPolicy', 'table'] satisfies (keyof HostProps)[];

function checked(construct: Construct, props: TencentChatWebhookProps): Settings {
  const names: readonly string[] = [...OPTIONS.filter((name) => name !== 'stage'), ...HOST_PROPS];
  // In JavaScript a misspelt prop would be ignored, and with it, perhaps, an allow-list.
  const problems = Object.keys(props)
    .filter((name) => !names.includes(name))
    .map((name) => `'${name}' is not a prop; the props are ${names.join(', ')}`);
  const settings = readOptions({ ...props }, problems);
  const { encryptionKey, table, removalPolicy } = props;
  if (encryptionKey !== undefined && table === undefined && Token.isUnresolved(Stack.of(construct).region)) {
    problems.push('encryptionKey needs a stack that knows its region, for the table: give the stack env: { region }');
  }
  if (table !== undefined) problems.push(...tableProblems(table as ITable));
  if (table !== undefined && removalPolicy !== undefined) {
    problems.push('removalPolicy is of no use with table: set it on your table');
  }
  if (removalPolicy === RemovalPolicy.SNAPSHOT) {
    problems.push("removalPolicy is 'snapshot', but DynamoDB takes none when a table is deleted");
  }
  throwIfAny(`The props of ${construct.node.path} are wrong`, problems);
  return settings;
}

function webhookToken(scope: Construct, encryptionKey: IKey | undefined): Secret {
  const token = new Secret(scope, 'WebhookToken', {
    description: 'The token of the webhook authentication, as set in the Chat console',
    // Chat's limits for a token are unknown; its sister product Live takes 1 to 128 characters.
    generateSecretString: { passwordLength: 32, excludePunctuation: true },
    ...(encryptionKey !== undefined && { encryptionKey }),
  });
  acknowledge(
    token,
    'AwsSolutions::AwsSolutions-SMG4',
    'the token is set by hand in the Chat console, so people rotate it: see infra/README.md',
  );
  return token;
}
