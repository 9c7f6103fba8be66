import type { Logger } from '@aws-lambda-powertools/logger';
import type { Metrics } from '@aws-lambda-powertools/metrics';
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import middy from '@middy/core';
import { checkAddress } from './allow-list.ts';
import { jsonBody } from './body.ts';
import { checkCommand } from './check-command.ts';
import { checkSignature } from './check-signature.ts';
import { ignoreOthers, receive } from './commands.ts';
import { deliveryLog } from './delivery-log.ts';
import { readQuery, type Delivery } from './delivery.ts';
import { keepRefused, parkOnFailure } from './keep.ts';
import { STORE_LIMITS } from './limits.ts';
import { officialAccounts } from './official-accounts.ts';
import type { Parking } from './parking.ts';
import { reply } from './reply.ts';
import { checkSdkAppId } from './sdk-app-id.ts';
import { oneAtATime } from './sdk-client.ts';
import type { WebhookToken } from './token.ts';

/** The parts that a receiver works with. */
export interface Parts {
  logger: Logger;
  metrics: Metrics;
  sdkAppId: string;
  /** Addresses and CIDR ranges; every caller may call where there are none. */
  allowedCidrs: readonly string[];
  /** Undefined where authentication is off. */
  token: WebhookToken | undefined;
  dynamoDb: DynamoDBClient;
  tableName: string;
  parking: () => Promise<Parking>;
}

/** Makes the chain of checks, in their order. Middy runs `onError` from the last to the first. */
export function receiver({ logger, metrics, sdkAppId, allowedCidrs, token, dynamoDb, tableName, parking }: Parts) {
  const accounts = officialAccounts(dynamoDb, tableName, oneAtATime(dynamoDb, STORE_LIMITS));
  return middy<Delivery>({ timeoutEarlyInMillis: 0 }) // every call out has its own limit
    .use(reply())
    .use(deliveryLog(logger, metrics))
    .before(readQuery)
    .before(checkSdkAppId(sdkAppId))
    .use(token === undefined ? [] : { before: checkSignature(token) })
    .use(token === undefined ? [] : keepRefused(parking))
    .before(checkAddress(allowedCidrs))
    .use(jsonBody())
    .before(checkCommand)
    .onError(ignoreOthers)
    .handler(parkOnFailure(receive(accounts), parking));
}
