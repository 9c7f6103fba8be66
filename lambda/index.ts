import 'node:https'; // first: a thread of Node's then reads the root certificates while the rest is set up
import { Logger } from '@aws-lambda-powertools/logger';
import { Metrics } from '@aws-lambda-powertools/metrics';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import middy from '@middy/core';
import { checkAddress, checkApp } from './app.ts';
import { jsonBody } from './body.ts';
import { checkCommand, commandTable, receive } from './commands.ts';
import { readConfig } from './config.ts';
import { deliveryLog } from './delivery-log.ts';
import { readQuery, type Delivery } from './delivery.ts';
import { parkedOnFailure, quarantine } from './keep.ts';
import { STORE_LIMITS, TOKEN_LIMITS } from './limits.ts';
import { NAMESPACE } from './metrics.ts';
import { officialAccounts } from './official-accounts.ts';
import { reply } from './reply.ts';
import { clientSettings } from './sdk-client.ts';
import { checkSignature } from './signature.ts';
import { secretVersions, webhookToken } from './token.ts';
import { warmUp, type Parts } from './warm-up.ts';

const config = readConfig(process.env);
const parts: Parts = {
  logger: new Logger({ serviceName: config.serviceName }),
  metrics: new Metrics({ namespace: NAMESPACE, serviceName: config.serviceName }),
  dynamoDb: new DynamoDBClient(clientSettings(STORE_LIMITS)),
  tableName: config.tableName,
  token: config.tokenSecretArn === undefined ? undefined : tokenIn(config.tokenSecretArn),
  // In a bundle of its own, loaded when it is needed: the SQS client would cost every cold start.
  parking: once(async () => (await import('./parking.ts')).openParking(config)),
};

/** The way of a delivery through the checks. */
function receiver({ logger, metrics, dynamoDb, tableName, token, parking }: Parts) {
  const commands = commandTable(officialAccounts(dynamoDb, tableName, STORE_LIMITS));
  return middy<Delivery>({ timeoutEarlyInMillis: 0 }) // every call out has its own limit
    .use(reply())
    .use(deliveryLog(logger, metrics))
    .before(readQuery)
    .before(checkApp(config.sdkAppId))
    .before(checkAddress(config.allowedCidrs))
    .use(token === undefined ? [] : { before: checkSignature(token) })
    .use(token === undefined ? [] : quarantine(parking))
    .use(jsonBody(commands))
    .before(checkCommand)
    .handler(parkedOnFailure(receive(commands), parking));
}

export const handler = receiver(parts);
await Promise.all([loadToken(), warmUp(config, parts, receiver)]);

function tokenIn(secretArn: string) {
  return webhookToken(secretVersions(new SecretsManagerClient(clientSettings(TOKEN_LIMITS)), secretArn));
}

/** Reads the token during init, where it costs Chat no waiting; where that fails, the first delivery tries again. */
async function loadToken(): Promise<void> {
  try {
    await parts.token?.load();
  } catch (error) {
    parts.logger.warn('the webhook token could not be read during init', { error });
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
