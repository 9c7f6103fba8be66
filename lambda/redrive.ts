import { Logger } from '@aws-lambda-powertools/logger';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { ChangeMessageVisibilityCommand, SQSClient } from '@aws-sdk/client-sqs';
import middy from '@middy/core';
import type { SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda';
import { parseBody } from './checks/body.ts';
import { checkCallbackCommand } from './checks/callback-command.ts';
import { dispatch } from './dispatch.ts';
import { readConfig, redriveVariables } from './config.ts';
import type { Delivery } from './delivery.ts';
import { MAX_ATTEMPTS, BACKGROUND_LIMITS } from './limits.ts';
import { officialAccountsTable } from './official-accounts-table.ts';
import { RejectedError } from './outcomes.ts';
import { toDelivery } from './delivery-queues.ts';
import { checkSdkAppId } from './checks/sdk-app-id.ts';
import { clientSettings, abortAtDeadline } from './sdk-client.ts';

const config = readConfig(redriveVariables(), process.env);
const logger = new Logger({ serviceName: config.serviceName });
const dynamoDb = new DynamoDBClient(clientSettings(BACKGROUND_LIMITS));
const queue = new SQSClient(clientSettings(BACKGROUND_LIMITS));
// Not destroyAtDeadline, because the messages of a batch share the clients.
const withDeadline = abortAtDeadline(BACKGROUND_LIMITS);
const accounts = officialAccountsTable(dynamoDb, config.tableName, withDeadline);

/** Runs the receiver's steps again, except the checks of signature and address. A repeated delivery is harmless. */
const storeDelivery = middy<Delivery>({ timeoutEarlyInMillis: 0 })
  .before(checkSdkAppId(config.sdkAppId))
  .use(parseBody())
  .before(checkCallbackCommand)
  .handler(dispatch(accounts));

/**
 * Stores parked deliveries. Each failed message returns to the queue, and goes to the dead-letter queue after its last
 * attempt.
 */
export async function handler({ Records }: SQSEvent): Promise<SQSBatchResponse> {
  const failures = await Promise.all(
    Records.map(async (record) => ((await redrive(record)) ? [] : [record.messageId])),
  );
  return { batchItemFailures: failures.flat().map((itemIdentifier) => ({ itemIdentifier })) };
}

/** @returns whether the message can be deleted. */
async function redrive(record: SQSRecord): Promise<boolean> {
  const attempt = Number(record.attributes.ApproximateReceiveCount);
  const line: Record<string, unknown> = { messageId: record.messageId, attempt };
  try {
    const delivery = parseDelivery(record);
    line['requestId'] = delivery.requestContext.requestId;
    const outcome = await storeDelivery(delivery, undefined as never);
    // Another version of this software has parked the delivery, so this version must not delete it.
    if (outcome === 'ignored') throw new UnreadableMessageError('this version does not handle the command');
    logger.info('redrive', { ...line, outcome });
    return true;
  } catch (error) {
    // After a permanent error, SQS still delivers the message until MAX_ATTEMPTS. No pause is necessary.
    const isPermanent = error instanceof RejectedError || error instanceof UnreadableMessageError;
    const seconds = isPermanent ? 0 : backOffSeconds(attempt);
    logger.warn('redrive', {
      ...line,
      outcome: isPermanent ? 'notUnderstood' : 'notStored',
      retrySeconds: seconds,
      error,
    });
    await hideFor(seconds, record);
    return false;
  }
}

class UnreadableMessageError extends Error {
  override name = 'UnreadableMessageError';
}

function parseDelivery({ body }: SQSRecord): Delivery {
  try {
    return toDelivery(body);
  } catch {
    // Without the cause, because its text repeats the content of the message.
    throw new UnreadableMessageError('the message is not from this software, is truncated, or has another version');
  }
}

/** Returns the pause after an attempt: one minute, doubled each time, and none after the last attempt. */
function backOffSeconds(attempt: number): number {
  return attempt < MAX_ATTEMPTS ? 60 * 2 ** (attempt - 1) : 0;
}

/** Hides a message in the queue until the next attempt. If that fails, the queue's own visibility timeout applies. */
async function hideFor(seconds: number, { receiptHandle, messageId }: SQSRecord): Promise<void> {
  const change = new ChangeMessageVisibilityCommand({
    QueueUrl: config.parkingQueueUrl,
    ReceiptHandle: receiptHandle,
    VisibilityTimeout: seconds,
  });
  try {
    await withDeadline(({ options }) => queue.send(change, options));
  } catch (error) {
    logger.warn('the visibility timeout could not be set', { messageId, error });
  }
}
