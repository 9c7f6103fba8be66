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
 * Does during init what the first delivery would wait for: code is compiled where it first runs, and a TLS connection
 * takes several ways there and back. A made-up delivery goes through a receiver that is like the real one, but keeps
 * nothing, and a ping opens the connection to DynamoDB.
 *
 * Whatever fails here, or takes too long, is left to the first delivery.
 *
 * @param createHandler makes a receiver of its dependencies.
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
    queues: () => Promise.reject(new Error('a rehearsal parks nothing')),
  };
  const rehearse = async () => {
    let pinged: Promise<void> | undefined;
    requestHandler.handle = async (request) => {
      pinged = ping(handle, dependencies.dynamoDb, request).catch(() => {}); // at once: an unhandled rejection would end the instance
      return { response: { statusCode: 200, headers: {}, body: emptyAnswer() } };
    };
    await createHandler(rehearsal)(rehearsalDelivery(dependencies), undefined as never);
    await pinged;
  };
  try {
    await withTimeout(WARM_UP_LIMITS, rehearse(), () => dependencies.dynamoDb.destroy());
  } catch {
    // The first delivery will hear of it.
  } finally {
    requestHandler.handle = handle; // before any delivery comes
  }
}

/** The table of a rehearsal. Its name is too short for DynamoDB, which would refuse it if a rehearsal came that far. */
const NO_TABLE = '-';

/** An unsigned GET / to where a request would go, over the connection that it would take. Any answer will do. */
async function ping(
  handle: RequestHandler['handle'],
  { config }: DynamoDBClient,
  { protocol, hostname, port }: HttpRequest,
): Promise<void> {
  const request = { protocol, hostname, port, method: 'GET', path: '/', query: {}, headers: { host: hostname } };
  const { response } = await handle(request as HttpRequest);
  await config.streamCollector(response.body); // only then is the connection free
}

function emptyAnswer(): Readable {
  return new Readable({
    read() {
      this.push('{}');
      this.push(null);
    },
  });
}

/** A logger that does all its work but the printing. */
class SilentLogger extends Logger {
  protected override printLog(_level: number, item: Parameters<Logger['printLog']>[1]): void {
    JSON.stringify(item.getAttributes(), this.getJsonReplacer());
  }
}

/** Metrics that do all their work but the printing. */
class SilentMetrics extends Metrics {
  override publishStoredMetrics(): this {
    JSON.stringify(this.serializeMetrics());
    return this;
  }
}

/** The token of the rehearsal. It is no secret: the receiver that takes it stores nothing. */
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
      http: { sourceIp: allowedCidrs[0]?.split('/')[0] ?? '192.0.2.1' }, // one that may call
    },
    query: {},
    body: Buffer.from(JSON.stringify(body)).toString('base64'),
    isBase64Encoded: true, // as API Gateway hands over what has no content type
  };
}
