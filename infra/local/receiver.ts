import type { Writable } from 'node:stream';
import { synthesize } from './deployment.ts';
import { LOCAL_AWS, startDynamoDb } from './dynamodb.ts';
import { startFunction } from './function.ts';
import { startGateway } from './gateway.ts';
import { startSecretsManager } from './secrets-manager.ts';

export interface ReceiverOptions {
  /** CDK context, as `cdk deploy -c` takes it. */
  context: Readonly<Record<string, string>>;
  token: string;
  /** 0 takes a free one. */
  port: number;
  /** Where to keep the table; in memory where there is none. */
  dataDirectory?: string | undefined;
  /** What starts the store: one that misbehaves, for instance. */
  startStore?: typeof startDynamoDb;
  /** Takes what the function logs (default: standard output). */
  log?: Writable;
}

export type Receiver = Awaited<ReturnType<typeof startReceiver>>;

/** Starts the whole deployment on this machine: what the template holds, with counterparts of the AWS services. */
export async function startReceiver({
  context,
  token,
  port,
  dataDirectory,
  startStore = startDynamoDb,
  log = process.stdout,
}: ReceiverOptions) {
  await using started = new AsyncDisposableStack();

  const deployment = synthesize(context);
  started.defer(deployment.dispose);

  const dynamoDb = await startStore(deployment.tables, dataDirectory);
  started.defer(dynamoDb.close);

  const secretsManager = await startSecretsManager();
  started.defer(secretsManager.close);
  for (const secretId of deployment.secretIds) secretsManager.put(secretId, token);

  const environment = {
    ...LOCAL_AWS,
    AWS_ENDPOINT_URL_DYNAMODB: dynamoDb.url,
    AWS_ENDPOINT_URL_SECRETS_MANAGER: secretsManager.url,
    ...deployment.receiver.environment,
  };
  const receiver = await startFunction({ ...deployment.receiver, environment }, log);
  started.defer(receiver.stop);

  const gateway = await startGateway(deployment.route, receiver.invoke, port);
  started.defer(gateway.close);

  const running = started.move();
  return {
    url: gateway.url + deployment.route.path,
    deployment,
    dynamoDb,
    secretsManager,
    stop: () => running.disposeAsync(),
  };
}
