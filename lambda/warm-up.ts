import { Readable } from 'node:stream';
import { Logger } from '@aws-lambda-powertools/logger';
import { Metrics } from '@aws-lambda-powertools/metrics';
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { Delivery } from './delivery.ts';
import { WARM_UP_LIMITS, withTimeout } from './limits.ts';
import { NAMESPACE } from './metrics.ts';
import { officialAccountCreated } from './commands/official-account-created.ts';
import type { Dependencies } from './handler.ts';
import { sign } from './signature.ts';
import { webhookToken } from './token.ts';

type Handler = (delivery: Delivery, context: never) => Promise<unknown>;
type RequestHandler = DynamoDBClient['config']['requestHandler'];
type HttpRequest = Parameters<RequestHandler['handle']>[0];

/**
 * Runs a rehearsal during init, so that the first delivery is faster: Node compiles code at its first run, and a TLS
 * connection takes several round trips. A made-up delivery passes through a receiver that stores and logs nothing, and
 * a ping opens the connection to DynamoDB.
 *
 * Errors are ignored, because the first delivery repeats the same steps.
 *
 * @param createHandler creates a receiver from its dependencies.
 */
export async function warmUp(
  dependencies: Dependencies,
  createHandler: (dependencies: Dependencies) => Handler,
): Promise<void> {
  const { requestHandler } = dependencies.dynamoDb.config;
  const handle = requestHandler.handle.bind(requestHandler);
  const rehearsal: Dependencies = {
    ...dependencies,
    logger: new SilentLogger(),
    metrics: new SilentMetrics({ namespace: NAMESPACE }),
    tableName: NO_TABLE,
    token: dependencies.token && webhookToken(async () => [REHEARSAL_TOKEN]),
    forwarder: undefined,
    queues: () => Promise.reject(new Error('the rehearsal has no queues')),
  };
  const rehearse = async () => {
    let pinged: Promise<void> | undefined;
    requestHandler.handle = async (request) => {
      // Catches at once, because an unhandled rejection ends the instance.
      pinged = ping(handle, dependencies.dynamoDb, request).catch(() => {});
      return { response: { statusCode: 200, headers: {}, body: emptyAnswer() } };
    };
    await createHandler(rehearsal)(rehearsalDelivery(dependencies), undefined as never);
    await pinged;
  };
  try {
    await withTimeout(WARM_UP_LIMITS, rehearse(), () => dependencies.dynamoDb.destroy());
  } catch {
    // Ignored: the first delivery reports the error.
  } finally {
    requestHandler.handle = handle; // before the first delivery
  }
}

/** Table of the rehearsal. DynamoDB rejects a name of one character, so that a write that is sent by mistake fails. */
const NO_TABLE = '-';

/** Sends an unsigned `GET /` to the host of a request, over the connection that the request would use. */
async function ping(
  handle: RequestHandler['handle'],
  { config }: DynamoDBClient,
  { protocol, hostname, port }: HttpRequest,
): Promise<void> {
  const request = { protocol, hostname, port, method: 'GET', path: '/', query: {}, headers: { host: hostname } };
  const { response } = await handle(request as HttpRequest);
  await config.streamCollector(response.body); // frees the connection
}

function emptyAnswer(): Readable {
  return new Readable({
    read() {
      this.push('{}');
      this.push(null);
    },
  });
}

/** Logger that formats each line, but does not print it. */
class SilentLogger extends Logger {
  protected override printLog(_level: number, item: Parameters<Logger['printLog']>[1]): void {
    JSON.stringify(item.getAttributes(), this.getJsonReplacer());
  }
}

/** Metrics that are serialized, but not printed. */
class SilentMetrics extends Metrics {
  override publishStoredMetrics(): this {
    JSON.stringify(this.serializeMetrics());
    return this;
  }
}

/** Token of the rehearsal. It is not a secret, because the receiver that accepts it stores nothing. */
const REHEARSAL_TOKEN = 'rehearsal';

function rehearsalDelivery({ sdkAppId, allowedCidrs }: Dependencies): Delivery {
  const timeEpoch = Date.now();
  const requestTime = String(Math.floor(timeEpoch / 1000));
  const body = {
    CallbackCommand: officialAccountCreated.name,
    Official_Account: '@TOA#_rehearsal',
    Operator_Account: 'rehearsal',
    Owner_Account: 'rehearsal',
    Name: '彩排',
    EventTime: timeEpoch,
  };
  return {
    headers: {},
    queryStringParameters: {
      SdkAppid: sdkAppId,
      CallbackCommand: officialAccountCreated.name,
      contenttype: 'json',
      ClientIP: '192.0.2.1',
      OptPlatform: 'RESTAPI',
      Sign: sign(REHEARSAL_TOKEN, requestTime),
      RequestTime: requestTime,
    },
    requestContext: {
      requestId: 'rehearsal',
      timeEpoch,
      http: { sourceIp: allowedCidrs[0]?.split('/')[0] ?? '192.0.2.1' }, // an allowed address
    },
    query: {},
    body: Buffer.from(JSON.stringify(body)).toString('base64'),
    isBase64Encoded: true, // as API Gateway passes a body without a content type
  };
}
