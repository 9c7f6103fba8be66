import type { RequestListener } from 'node:http';
import { dataPaths } from './data-directory.ts';
import { DESCRIPTION_PATH, type Description } from '../cli/local-deployment.ts';
import type { DeploymentSpec } from './template.ts';
import { LOCAL_AWS, startDynamoDb } from './aws/dynamodb.ts';
import { startEventBus } from './aws/event-bus.ts';
import { startFunction, type FunctionOptions, type FunctionSpec } from './aws/function.ts';
import { startGateway } from './aws/gateway.ts';
import { startSecretsManager } from './aws/secrets-manager.ts';
import { startSqs } from './aws/sqs.ts';
import { startStreamMapping, type StreamMapping } from './aws/stream-mapping.ts';

/** By default the queues run sixty times faster than SQS: a delivery is tried again after a second, not a minute. */
const QUEUE_SECOND_MS = 1_000 / 60;

/** Where the events of the bus are served, on this machine only. */
const EVENTS_PATH = '/events';

export interface DeploymentOptions extends Omit<FunctionOptions, 'timeScale'> {
  spec: DeploymentSpec;
  token: string;
  /** 0 takes a free one. */
  port: number;
  /** Where to keep table and queues, prepared; in memory where there is none. */
  dataDirectory?: string | undefined;
  /** What starts the store: one that misbehaves, for instance. */
  startStore?: typeof startDynamoDb;
  startQueues?: typeof startSqs;
  startSecrets?: typeof startSecretsManager;
  startEvents?: typeof startEventBus;
  /** How long a second takes on the clock of the queues and of the mappings from the streams. */
  queueSecondMs?: number;
  /** How many times slower the receiver's timers run. The other functions have seconds, which are enough as they are. */
  timeScale?: number;
}

export type Deployment = Awaited<ReturnType<typeof startDeployment>>;

/**
 * Starts the whole deployment on this machine: what the template holds, with counterparts of the AWS services.
 *
 * @throws where it can't be started; everything that has been started is stopped by then.
 */
export async function startDeployment({
  spec,
  token,
  port,
  dataDirectory,
  startStore = startDynamoDb,
  startQueues = startSqs,
  startSecrets = startSecretsManager,
  startEvents = startEventBus,
  queueSecondMs = QUEUE_SECOND_MS,
  timeScale = 1,
  ...functionOptions
}: DeploymentOptions) {
  // Disposed of in reverse order: no deliveries, then no function instances, then no services.
  await using started = new AsyncDisposableStack();
  started.defer(spec.dispose);

  const kept = dataDirectory === undefined ? undefined : dataPaths(dataDirectory);
  // Before the store, whose error would be nobody's to catch: a data directory that another process has open ends it here.
  const sqs = await startQueues(spec.queues, queueSecondMs, kept?.queues);
  started.defer(sqs.close);

  const mappings: { tableName: string; mapping: StreamMapping }[] = [];
  const dynamoDb = await startStore(spec.tables, kept?.tables, (tableName, record) => {
    for (const { mapping } of mappings.filter((each) => each.tableName === tableName)) mapping.take(record);
  });
  started.defer(dynamoDb.close);

  const secretsManager = await startSecrets();
  started.defer(secretsManager.close);
  for (const secretId of spec.secretIds) secretsManager.put(secretId, token);

  const bus = await startEvents(spec.eventBusNames);
  started.defer(bus.close);

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
    const { tableName, onFailureQueueName, consumer } = mappingSpec;
    const { invoke } = await start(consumer);
    const onFailure = (message: string) => sqs.send(onFailureQueueName, message);
    const mapping = startStreamMapping(mappingSpec, { invoke, onFailure, secondMs: queueSecondMs });
    mappings.push({ tableName, mapping });
    started.defer(mapping.stop);
  }

  // After these mappings: what a data directory's queues hold would else be stored before they hear of it.
  for (const { queueName, batchSize, consumer } of spec.consumers) {
    started.defer(sqs.poll(queueName, batchSize, (await start(consumer)).invoke));
  }

  const describe: RequestListener = (_request, response) =>
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(description));
  const gateway = await startGateway(spec.route, receiver.invoke, port, {
    [EVENTS_PATH]: bus.serve,
    [DESCRIPTION_PATH]: describe,
  });
  started.defer(gateway.close);
  const description: Description = {
    webhookUrl: gateway.url + spec.route.path,
    eventsUrl: gateway.url + EVENTS_PATH,
    eventBusName: spec.eventBusNames[0] ?? '',
    environment: environmentOf(spec.receiver),
  };

  const running = started.move();
  return {
    url: description.webhookUrl,
    eventsUrl: description.eventsUrl,
    bus,
    spec,
    dynamoDb,
    secretsManager,
    sqs,
    receiver,
    stop: () => running.disposeAsync(),
  };
}
