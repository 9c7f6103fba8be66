import { RemovalPolicy, Stack, Token } from 'aws-cdk-lib';
import type { DomainName, HttpApi } from 'aws-cdk-lib/aws-apigatewayv2';
import type { Alarm, Dashboard } from 'aws-cdk-lib/aws-cloudwatch';
import type { ITable, Table, TableV2 } from 'aws-cdk-lib/aws-dynamodb';
import type { EventBus } from 'aws-cdk-lib/aws-events';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import type { Function } from 'aws-cdk-lib/aws-lambda';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Secret, type ISecret } from 'aws-cdk-lib/aws-secretsmanager';
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
export type { Queues, WebhookOptions };

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
   * What happens to the table when the construct is removed. With `DESTROY`, the table has no deletion protection.
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
}

export interface TencentChatWebhookProps extends WebhookOptions, HostProps {}

/**
 * Receives the webhooks of one Tencent Chat app: HTTP API → receiver → table, and table's stream → publisher → event
 * bus. Deliveries that cannot be stored at once wait in a queue for the redrive.
 *
 * Only the event bus has a physical name, because EventBridge requires one. CDK derives it from the construct's path.
 */
export class TencentChatWebhook extends Construct {
  /** The URL for the Chat console. */
  readonly url: string;
  /** The secret with the webhook's token. Undefined if authentication is off. */
  readonly token: ISecret | undefined;
  /** The table of official accounts. */
  readonly table: ITable;
  /** The event bus with the changes of official accounts, for your rules. */
  readonly eventBus: EventBus;
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
  readonly api: HttpApi;
  /** The domain of `domainName`. Its DNS record must point to `regionalDomainName`. */
  readonly domain: DomainName | undefined;
  /** The topic that every alarm notifies. */
  readonly alarmTopic: Topic;
  /** The alarms, the most urgent first. */
  readonly alarms: readonly Alarm[];
  readonly dashboard: Dashboard;

  /** @throws SettingsError with all problems of the props. */
  constructor(scope: Construct, id: string, props: TencentChatWebhookProps) {
    super(scope, id);
    const settings = checkProps(this, props);
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
    this.token =
      settings.authentication === 'off' ? undefined : ((props.token ?? webhookToken(this, encryptionKey)) as ISecret);
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

    const monitored = {
      serviceName,
      api,
      functions: { Receiver: this.receiver, Redrive: this.redrive, Publisher: publisher },
      receiverLog: lambdas.receiverLog,
      table,
      queues: this.queues,
      probe: this.probe,
      forwards: settings.forwardUrl !== undefined,
    };
    this.alarmTopic = alarmTopic(this, { serviceName, encryptionKey, email: settings.alarmEmail });
    this.alarms = alarms(this, { topic: this.alarmTopic, monitored, settings });
    this.dashboard = dashboard(this, monitored, this.alarms);
  }
}

const HOST_PROPS = ['encryptionKey', 'logRetention', 'removalPolicy', 'table', 'token'] satisfies (keyof HostProps)[];

function checkProps(construct: Construct, props: TencentChatWebhookProps): Settings {
  const names: readonly string[] = [...OPTIONS.filter((name) => name !== 'stage'), ...HOST_PROPS];
  // In JavaScript, a misspelt prop would be ignored without an error: an allow-list, for example.
  const problems = Object.keys(props)
    .filter((name) => !names.includes(name))
    .map((name) => `'${name}' is not a prop; the props are ${names.join(', ')}`);
  const settings = readOptions({ ...props }, problems, construct.node.tryGetContext(LOCAL_CONTEXT) === true);
  const { encryptionKey, table, removalPolicy, token } = props;
  if (token !== undefined && settings.authentication === 'off') {
    problems.push('token has no effect with authentication off');
  }
  if (encryptionKey !== undefined && table === undefined && Token.isUnresolved(Stack.of(construct).region)) {
    problems.push('encryptionKey needs a stack with a region, because of the table: give the stack env: { region }');
  }
  if (table !== undefined) problems.push(...tableProblems(table as ITable));
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
