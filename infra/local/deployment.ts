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

/** By default, the queues run 60 times faster than SQS: the first retry comes after a second instead of a minute. */
const QUEUE_SECOND_MS = 1_000 / 60;

/** Path of the events. The deployment does not have it. */
const EVENTS_PATH = '/events';

export interface DeploymentOptions extends Omit<FunctionOptions, 'timeScale'> {
  spec: DeploymentSpec;
  token: string;
  /** 0 chooses a free port. */
  port: number;
  /** Folder for the table and the queues, already checked. Without it, they are in memory. */
  dataDirectory?: string | undefined;
  /** Functions that start the services. Tests pass services that fail. */
  startStore?: typeof startDynamoDb;
  startQueues?: typeof startSqs;
  startSecrets?: typeof startSecretsManager;
  startEvents?: typeof startEventBus;
  /** Duration of a second on the clock of the queues and of the mappings of streams. */
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
  dataDirectory,
  startStore = startDynamoDb,
  startQueues = startSqs,
  startSecrets = startSecretsManager,
  startEvents = startEventBus,
  queueSecondMs = QUEUE_SECOND_MS,
  timeScale = 1,
  ...functionOptions
}: DeploymentOptions) {
  // Stopped in reverse order: first the gateway, then the functions, then the services.
  await using started = new AsyncDisposableStack();
  started.defer(spec.dispose);

  const paths = dataDirectory === undefined ? undefined : dataPaths(dataDirectory);
  // Before DynamoDB: if another process has the data directory open, this throws, whereas dynalite would end the
  // process.
  const sqs = await startQueues(spec.queues, queueSecondMs, paths?.queues);
  started.defer(sqs.close);

  const mappings: { tableName: string; mapping: StreamMapping }[] = [];
  const dynamoDb = await startStore(spec.tables, paths?.tables, (tableName, record) => {
    for (const { mapping } of mappings.filter((each) => each.tableName === tableName)) mapping.add(record);
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

  // After the mappings of streams, which would miss deliveries that are stored from the queues of a data directory.
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
