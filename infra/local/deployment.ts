import { Writable } from 'node:stream';
import type { Environment } from '../../lambda/config.ts';
import { dataPaths } from './data-directory.ts';
import type { Description } from '../cli/local-deployment.ts';
import type { DeploymentSpec } from './template.ts';
import { dynamoDbClient, LOCAL_AWS, startDynamoDb } from './aws/dynamodb.ts';
import { startEventBus } from './aws/event-bus.ts';
import { startFunction, type FunctionOptions, type FunctionSpec } from './aws/function.ts';
import { startGateway } from './aws/gateway.ts';
import { startSecretsManager } from './aws/secrets-manager.ts';
import { startSqs } from './aws/sqs.ts';
import { startStreamMapping, type StreamMapping } from './aws/stream-mapping.ts';
import { createHistory } from './inspector/history.ts';
import { startInspector } from './inspector/server.ts';

/** By default, the queues run 60 times faster than SQS: the first retry comes after a second instead of a minute. */
const QUEUE_SECOND_MS = 1_000 / 60;

export interface DeploymentOptions extends Omit<FunctionOptions, 'timeScale'> {
  spec: DeploymentSpec;
  token: string;
  /** 0 chooses a free port. */
  port: number;
  /** Port of the inspector. Default: a free one. */
  inspectorPort?: number;
  /** Folder for the table and the queues, already checked. Without it, they are in memory. */
  dataDirectory?: string | undefined;
  /** Functions that start the services. Tests pass services that fail. */
  startStore?: typeof startDynamoDb;
  startQueues?: typeof startSqs;
  startSecrets?: typeof startSecretsManager;
  startEvents?: typeof startEventBus;
  /** Duration of a second on the clock of the queues, and of the pause before a stream's batch is sent again. */
  queueSecondMs?: number;
  /** Factor by which the receiver's timers are slower. The other functions have deadlines of seconds. */
  timeScale?: number;
}

export type Deployment = Awaited<ReturnType<typeof startDeployment>>;

/**
 * Starts the deployment on this machine: the resources of the template, with local versions of the AWS services.
 *
 * @throws If it can't be started. Then everything that was started is stopped.
 */
export async function startDeployment({
  spec,
  token,
  port,
  inspectorPort = 0,
  dataDirectory,
  startStore = startDynamoDb,
  startQueues = startSqs,
  startSecrets = startSecretsManager,
  startEvents = startEventBus,
  queueSecondMs = QUEUE_SECOND_MS,
  timeScale = 1,
  log = process.stdout,
  ...otherOptions
}: DeploymentOptions) {
  // Stopped in reverse order: first the gateway, then the functions, then the services.
  await using started = new AsyncDisposableStack();
  started.defer(spec.dispose);

  const history = createHistory();
  const functionOptions = { ...otherOptions, log: observedLog(log, history.log) };

  const paths = dataDirectory === undefined ? undefined : dataPaths(dataDirectory);
  const sqs = await startQueues(spec.queues, queueSecondMs, paths?.queues);
  started.defer(sqs.close);

  const mappings: { tableName: string; mapping: StreamMapping }[] = [];
  const dynamoDb = await startStore(spec.tables, paths?.tables, (tableName, record) => {
    for (const { mapping } of mappings.filter((each) => each.tableName === tableName)) mapping.add(record);
    if (tableName === spec.tableName) history.recordChanged(record);
  });
  started.defer(dynamoDb.close);

  const secretsManager = await startSecrets();
  started.defer(secretsManager.close);
  for (const secretId of spec.secretIds) secretsManager.put(secretId, token);

  const bus = await startEvents(spec.eventBusNames);
  started.defer(bus.close);
  bus.subscribe(history.published);

  const queueNames = new Set(spec.queues.map(({ name }) => name));
  const environmentOf = (functionSpec: FunctionSpec): Record<string, string> => {
    const resolved = Object.entries(functionSpec.environment).map(([name, value]) => [
      name,
      queueNames.has(value) ? sqs.queueUrl(value) : value,
    ]);
    const endpoints = {
      AWS_ENDPOINT_URL_DYNAMODB: dynamoDb.url,
      AWS_ENDPOINT_URL_EVENTBRIDGE: bus.url,
      AWS_ENDPOINT_URL_SECRETS_MANAGER: secretsManager.url,
      AWS_ENDPOINT_URL_SQS: sqs.url,
    };
    return { ...LOCAL_AWS, ...endpoints, ...Object.fromEntries(resolved) };
  };
  const start = async (functionSpec: FunctionSpec, options: FunctionOptions = functionOptions) => {
    const local = await startFunction({ ...functionSpec, environment: environmentOf(functionSpec) }, options);
    started.defer(local.stop);
    return local;
  };
  const receiver = await start(spec.receiver, { ...functionOptions, timeScale });

  for (const mappingSpec of spec.streamMappings) {
    const { invoke } = await start(mappingSpec.consumer);
    const mapping = startStreamMapping(mappingSpec, invoke, queueSecondMs);
    mappings.push({ tableName: mappingSpec.tableName, mapping });
    started.defer(mapping.stop);
  }

  // After the mappings of streams, which would miss deliveries that are stored from the queues of a data directory.
  for (const { queueName, batchSize, consumer } of spec.consumers) {
    started.defer(sqs.poll(queueName, batchSize, (await start(consumer)).invoke));
  }

  const gateway = await startGateway(spec.route, receiver.invoke, port, history.observe);
  started.defer(gateway.close);
  const description: Omit<Description, 'eventsUrl'> = {
    webhookUrl: gateway.url + spec.route.path,
    eventBusName: spec.eventBusNames[0] ?? '',
    environment: environmentOf(spec.receiver),
  };
  const variables = spec.receiver.environment as Partial<Environment>;
  const inspector = await startInspector({
    port: inspectorPort,
    history,
    bus,
    sqs,
    dynamoDb: started.adopt(dynamoDbClient(dynamoDb.url), (client) => client.destroy()),
    tableName: spec.tableName,
    queueNames: spec.queues.map(({ name }) => name),
    token: variables.AUTHENTICATION === 'off' ? undefined : token,
    description,
    settings: {
      sdkAppId: variables.SDK_APP_ID ?? '',
      allowedCidrs: variables.ALLOWED_CIDRS?.split(',') ?? [],
      forwardUrl: variables.FORWARD_URL,
    },
  });
  started.defer(inspector.close);

  const running = started.move();
  return {
    url: description.webhookUrl,
    inspectorUrl: inspector.url,
    eventsUrl: inspector.eventsUrl,
    history,
    bus,
    spec,
    dynamoDb,
    secretsManager,
    sqs,
    receiver,
    stop: () => running.disposeAsync(),
  };
}

/** Passes on what the functions log, and calls the observer for each line. */
function observedLog(log: Writable, observe: (line: string) => void): Writable {
  return new Writable({
    write(chunk: Buffer, _encoding, done) {
      // The functions write complete lines.
      for (const line of chunk.toString().split('\n')) observe(line);
      log.write(chunk, () => done());
    },
  });
}
