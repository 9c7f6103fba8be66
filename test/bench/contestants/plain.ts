import { ConditionalCheckFailedException, DynamoDBClient, UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import middy from '@middy/core';
import httpJsonBodyParser from '@middy/http-json-body-parser';
import type { APIGatewayProxyEventV2 } from 'aws-lambda';
import type { DOCUMENTED_SAMPLE } from '../../../infra/local/chat.ts';

type Event = Omit<APIGatewayProxyEventV2, 'body'> & { body: typeof DOCUMENTED_SAMPLE };

const client = new DynamoDBClient();

/**
 * PLAIN: the ordinary way to write this function, everything at its default. The same conditional write of the same
 * record as ours, and nothing else: no signature, no checks, no log, no limits, nothing kept where the write fails.
 */
export const handler = middy<Event>()
  .use(httpJsonBodyParser({ disableContentTypeCheck: true })) // Chat's request has none
  .handler(async ({ body, queryStringParameters: query, requestContext }: Event) => {
    const update = new UpdateItemCommand({
      TableName: process.env['TABLE_NAME'],
      Key: { sdkAppId: { S: query?.['SdkAppid'] ?? '' }, officialAccountId: { S: body.Official_Account } },
      ConditionExpression: 'attribute_not_exists(#eventTime) OR #eventTime < :eventTime',
      UpdateExpression: `SET #name = :name, #ownerAccount = :ownerAccount, #operatorAccount = :operatorAccount,
        #createdTime = :eventTime, #eventTime = :eventTime, #receivedTime = :receivedTime,
        #clientIp = :clientIp, #optPlatform = :optPlatform`,
      ExpressionAttributeNames: {
        '#name': 'name',
        '#ownerAccount': 'ownerAccount',
        '#operatorAccount': 'operatorAccount',
        '#createdTime': 'createdTime',
        '#eventTime': 'eventTime',
        '#receivedTime': 'receivedTime',
        '#clientIp': 'clientIp',
        '#optPlatform': 'optPlatform',
      },
      ExpressionAttributeValues: {
        ':name': { S: body.Name },
        ':ownerAccount': { S: body.Owner_Account },
        ':operatorAccount': { S: body.Operator_Account },
        ':eventTime': { N: String(body.EventTime) },
        ':receivedTime': { N: String(requestContext.timeEpoch) },
        ':clientIp': { S: query?.['ClientIP'] ?? '' },
        ':optPlatform': { S: query?.['OptPlatform'] ?? '' },
      },
    });
    try {
      await client.send(update);
    } catch (error) {
      if (!(error instanceof ConditionalCheckFailedException)) throw error;
    }
    return { statusCode: 200, body: '{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0}' };
  });
