import 'node:https'; // first, because Node then reads the root certificates in a thread during the rest of init
import { Logger } from '@aws-lambda-powertools/logger';
import { Metrics } from '@aws-lambda-powertools/metrics';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { readConfig, receiverVariables } from './config.ts';
import { STORE_LIMITS, TOKEN_LIMITS } from './limits.ts';
import { NAMESPACE } from './metrics.ts';
import { createHandler, type Dependencies } from './handler.ts';
import { clientSettings } from './sdk-client.ts';
import { secretVersions, webhookToken } from './token.ts';
import { warmUp } from './warm-up.ts';

const config = readConfig(receiverVariables(), process.env);
const dependencies: Dependencies = {
  logger: new Logger({ serviceName: config.serviceName }),
  metrics: new Metrics({ namespace: NAMESPACE, serviceName: config.serviceName }),
  sdkAppId: config.sdkAppId,
  allowedCidrs: config.allowedCidrs,
  token: config.tokenSecretArn === undefined ? undefined : tokenFromSecret(config.tokenSecretArn),
  dynamoDb: new DynamoDBClient(clientSettings(STORE_LIMITS)),
  tableName: config.tableName,
  forwarder: undefined,
  // Loaded from its own bundle on demand, because the SQS client would slow down every cold start.
  queues: once(async () => (await import('./delivery-queues.ts')).openDeliveryQueues(config)),
};

if (config.forwardUrl !== undefined) {
  // Loaded from its own bundle, because most deployments do not forward.
  const { createForwarder } = await import('./forward.ts');
  dependencies.forwarder = createForwarder(config.forwardUrl, config.deadLetterQueueUrl);
}

export const handler = createHandler(dependencies);
await Promise.all([loadToken(), warmUp(dependencies, createHandler), dependencies.forwarder?.connect()]);

function tokenFromSecret(secretArn: string) {
  return webhookToken(secretVersions(new SecretsManagerClient(clientSettings(TOKEN_LIMITS)), secretArn));
}

/** Reads the token during init, beside the other preparations. If that fails, the first delivery reads it. */
async function loadToken(): Promise<void> {
  try {
    await dependencies.token?.load();
  } catch (error) {
    dependencies.logger.warn('the webhook token could not be read during init', { error });
  }
}

function once<T>(open: () => Promise<T>): () => Promise<T> {
  let opened: Promise<T> | undefined;
  return () =>
    (opened ??= open().catch((error) => {
      opened = undefined;
      throw error;
    }));
}
