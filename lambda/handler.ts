import type { Logger } from '@aws-lambda-powertools/logger';
import type { Metrics } from '@aws-lambda-powertools/metrics';
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import middy from '@middy/core';
import { checkSourceAddress } from './checks/source-address.ts';
import { parseBody } from './checks/body.ts';
import { checkCallbackCommand } from './checks/callback-command.ts';
import { checkSignature } from './checks/signature.ts';
import { dispatch, forwardUnhandled, ignoreUnhandled } from './dispatch.ts';
import { deliveryLog } from './delivery-log.ts';
import { readQuery, type Delivery } from './delivery.ts';
import { deadLetterRejected, parkOnFailure } from './failed-deliveries.ts';
import type { Forwarder } from './forward.ts';
import { STORE_LIMITS } from './limits.ts';
import { officialAccountsTable } from './official-accounts-table.ts';
import type { DeliveryQueues } from './delivery-queues.ts';
import { reply } from './reply.ts';
import { checkSdkAppId } from './checks/sdk-app-id.ts';
import { destroyAtDeadline } from './sdk-client.ts';
import type { WebhookToken } from './token.ts';

/** Dependencies of the receiver. */
export interface Dependencies {
  logger: Logger;
  metrics: Metrics;
  sdkAppId: string;
  /** Addresses and CIDR ranges of allowed callers. Empty: every caller is allowed. */
  allowedCidrs: readonly string[];
  /** Undefined if authentication is off. */
  token: WebhookToken | undefined;
  dynamoDb: DynamoDBClient;
  tableName: string;
  queues: () => Promise<DeliveryQueues>;
  /** Undefined without `forwardUrl`. */
  forwarder: Forwarder | undefined;
}

/** Creates the receiver. Its checks run in the order below. Middy runs `after` and `onError` from last to first. */
export function createHandler({
  logger,
  metrics,
  sdkAppId,
  allowedCidrs,
  token,
  dynamoDb,
  tableName,
  queues,
  forwarder,
}: Dependencies) {
  const accounts = officialAccountsTable(dynamoDb, tableName, destroyAtDeadline(dynamoDb, STORE_LIMITS));
  // 0: no time-out of middy, because every outgoing call has its own deadline.
  return middy<Delivery>({ timeoutEarlyInMillis: 0 })
    .use(reply())
    .use(deliveryLog(logger, metrics))
    .before(readQuery)
    .use(forwarder === undefined ? [] : { before: forwardUnhandled(forwarder) })
    .before(checkSdkAppId(sdkAppId))
    .use(token === undefined ? [] : { before: checkSignature(token) })
    .use(token === undefined ? [] : deadLetterRejected(queues))
    .before(checkSourceAddress(allowedCidrs))
    .use(parseBody())
    .before(checkCallbackCommand)
    .onError(ignoreUnhandled) // last, so that it runs first: an ignored delivery is not dead-lettered
    .handler(parkOnFailure(dispatch(accounts), queues));
}
