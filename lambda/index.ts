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
import { clientLimits, STORE_LIMITS, TOKEN_LIMITS } from './limits.ts';
import { NAMESPACE } from './metrics.ts';
import { officialAccounts } from './official-accounts.ts';
import { reply } from './reply.ts';
import { checkSignature } from './signature.ts';
import { secretVersions, webhookToken } from './token.ts';

const config = readConfig(process.env);
const logger = new Logger({ serviceName: config.serviceName });
const metrics = new Metrics({ namespace: NAMESPACE, serviceName: config.serviceName });
const dynamoDb = new DynamoDBClient(clientLimits(STORE_LIMITS));
const commands = commandTable(officialAccounts(dynamoDb, config.tableName, STORE_LIMITS));
// In a bundle of its own, loaded when it is needed: the SQS client would cost every cold start.
const parking = once(async () => (await import('./parking.ts')).openParking(config));
const authentication = config.tokenSecretArn === undefined ? [] : [await tokenAuthentication(config.tokenSecretArn)];

export const handler = middy<Delivery>({ timeoutEarlyInMillis: 0 }) // every call out has its own limit
  .use(reply())
  .use(deliveryLog(logger, metrics))
  .before(readQuery)
  .before(checkApp(config.sdkAppId))
  .before(checkAddress(config.allowedCidrs))
  .use(authentication)
  .use(config.tokenSecretArn === undefined ? [] : quarantine(parking))
  .use(jsonBody(commands))
  .before(checkCommand)
  .handler(parkedOnFailure(receive(commands), parking));

/** Reads the token during init, where it costs Chat no waiting; where that fails, the first delivery tries again. */
async function tokenAuthentication(secretArn: string) {
  const token = webhookToken(secretVersions(new SecretsManagerClient(clientLimits(TOKEN_LIMITS)), secretArn));
  try {
    await token.load();
  } catch (error) {
    logger.warn('the webhook token could not be read during init', { error });
  }
  return { before: checkSignature(token) };
}

function once<T>(open: () => Promise<T>): () => Promise<T> {
  let opened: Promise<T> | undefined;
  return () =>
    (opened ??= open().catch((error) => {
      opened = undefined;
      throw error;
    }));
}
