import { createHash, timingSafeEqual } from 'node:crypto';
import { Logger } from '@aws-lambda-powertools/logger';
import { Metrics, MetricUnit } from '@aws-lambda-powertools/metrics';
import { logMetrics } from '@aws-lambda-powertools/metrics/middleware';
import { ConditionalCheckFailedException, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import middy from '@middy/core';
import httpJsonBodyParser from '@middy/http-json-body-parser';
import type { APIGatewayProxyEventV2 } from 'aws-lambda';
import * as v from 'valibot';
import { OK } from './ok.ts';
import { upsert } from './upsert.ts';

type Event = Omit<APIGatewayProxyEventV2, 'body'> & { body: unknown };

const COMMAND = 'OfficialAccount.CallbackAfterCreateOfficialAccount';
const PAYLOAD = v.object({
  CallbackCommand: v.literal(COMMAND),
  Official_Account: v.pipe(v.string(), v.nonEmpty(), v.maxBytes(1_024)),
  Operator_Account: v.string(),
  Owner_Account: v.string(),
  Name: v.string(),
  EventTime: v.pipe(v.number(), v.safeInteger()),
});

const logger = new Logger({ serviceName: 'same' });
const metrics = new Metrics({ namespace: 'TencentChatWebhook', serviceName: 'same' });
const dynamoDb = new DynamoDBClient();
const secretsManager = new SecretsManagerClient();
const sqs = new SQSClient();
let token: string | undefined;

/**
 * SAME: an ordinary function with the duties of OURS. Checks app, signature and payload, makes the conditional write,
 * logs and counts the delivery, and queues a delivery whose write failed.
 */
export const handler = middy<Event>()
  .use(logMetrics(metrics))
  .use(httpJsonBodyParser({ disableContentTypeCheck: true })) // Chat's request has none
  .handler(async (event: Event) => {
    const query = event.queryStringParameters ?? {};
    if (query['SdkAppid'] !== process.env['SDK_APP_ID']) return reject(event, 120001, 'SdkAppid is not this app');
    if (!(await isSigned(query))) return reject(event, 120003, 'Sign is missing or wrong');
    if (Math.abs(event.requestContext.timeEpoch / 1_000 - Number(query['RequestTime'])) > 60) {
      return reject(event, 120004, 'RequestTime is more than 60 seconds from now');
    }
    if (query['CallbackCommand'] !== COMMAND) return report(event, 'ignored', OK);
    const { success, output } = v.safeParse(PAYLOAD, event.body);
    if (!success) return reject(event, 120007, 'a field of the body is missing or wrong');
    try {
      await dynamoDb.send(upsert(output, event));
      return report(event, 'stored', OK);
    } catch (error) {
      if (error instanceof ConditionalCheckFailedException) return report(event, 'stale', OK);
      const { PARKING_QUEUE_URL: QueueUrl } = process.env;
      await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: JSON.stringify(output) }));
      return report(event, 'queued', OK);
    }
  });

async function isSigned({ Sign = '', RequestTime = '' }: Record<string, string | undefined>): Promise<boolean> {
  const { TOKEN_SECRET_ARN: SecretId } = process.env;
  token ??= (await secretsManager.send(new GetSecretValueCommand({ SecretId }))).SecretString;
  if (!token) throw new Error('the secret holds no token');
  const expected = Buffer.from(createHash('sha256').update(`${token}${RequestTime}`).digest('hex'));
  const actual = Buffer.from(Sign);
  return actual.length === expected.length && timingSafeEqual(actual, expected);
}

function reject(event: Event, ErrorCode: number, ErrorInfo: string) {
  const body = JSON.stringify({ ActionStatus: 'FAIL', ErrorInfo, ErrorCode });
  return report(event, 'rejected', { statusCode: 200, body });
}

function report<Reply>({ requestContext, queryStringParameters: query }: Event, outcome: string, reply: Reply) {
  logger.info('delivery', { requestId: requestContext.requestId, command: query?.['CallbackCommand'], outcome });
  metrics.addDimension('outcome', outcome);
  metrics.addMetric('Deliveries', MetricUnit.Count, 1);
  return reply;
}
