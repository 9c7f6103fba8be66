import { Logger } from '@aws-lambda-powertools/logger';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import middy from '@middy/core';
import httpJsonBodyParser from '@middy/http-json-body-parser';
import { checkAddress, checkApp } from './app.ts';
import { decodeBody, refuseUnparsed } from './body.ts';
import { checkCommand, commandTable, receive } from './commands.ts';
import { readConfig } from './config.ts';
import { deliveryLog } from './delivery-log.ts';
import { readQuery, type Delivery } from './delivery.ts';
import { officialAccounts } from './official-accounts.ts';
import { reply } from './reply.ts';
import { checkSignature } from './signature.ts';
import { secretVersions, webhookToken } from './token.ts';

// So that two attempts of each end before the function's timeout, and an answer in Tencent's shape still goes out.
const LIMITS = {
  maxAttempts: 2,
  requestHandler: { connectionTimeout: 1_000, requestTimeout: 2_500, throwOnRequestTimeout: true },
};

const config = readConfig(process.env);
const logger = new Logger({ serviceName: 'tencent-chat-webhook' });
const commands = commandTable(officialAccounts(new DynamoDBClient(LIMITS), config.tableName));
const authentication = config.tokenSecretArn === undefined ? [] : [await tokenAuthentication(config.tokenSecretArn)];

export const handler = middy<Delivery>({ timeoutEarlyInMillis: 0 }) // every call out has its own limit
  .use(reply())
  .use(deliveryLog(logger))
  .before(readQuery)
  .before(checkApp(config.sdkAppId))
  .before(checkAddress(config.allowedCidrs))
  .use(authentication)
  .before(decodeBody)
  .use(httpJsonBodyParser({ disableContentTypeCheck: true }))
  .onError(refuseUnparsed)
  .before(checkCommand)
  .handler(receive(commands));

/** Reads the token during init, where it costs Chat no waiting; where that fails, the first delivery tries again. */
async function tokenAuthentication(secretArn: string) {
  const token = webhookToken(secretVersions(new SecretsManagerClient(LIMITS), secretArn));
  try {
    await token.load();
  } catch (error) {
    logger.warn('the webhook token could not be read during init', { error });
  }
  return { before: checkSignature(token) };
}
