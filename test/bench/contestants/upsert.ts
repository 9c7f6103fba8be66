import { UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import type { APIGatewayProxyEventV2 } from 'aws-lambda';

/** What an ordinary function takes of the body. */
export interface Payload {
  Official_Account: string;
  Operator_Account: string;
  Owner_Account: string;
  Name: string;
  EventTime: number;
}

/** Makes the conditional write of the same record as ours. */
export function upsert(
  payload: Payload,
  { queryStringParameters: query, requestContext }: Omit<APIGatewayProxyEventV2, 'body'>,
): UpdateItemCommand {
  return new UpdateItemCommand({
    TableName: process.env['TABLE_NAME'],
    Key: { sdkAppId: { S: query?.['SdkAppid'] ?? '' }, officialAccountId: { S: payload.Official_Account } },
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
      ':name': { S: payload.Name },
      ':ownerAccount': { S: payload.Owner_Account },
      ':operatorAccount': { S: payload.Operator_Account },
      ':eventTime': { N: String(payload.EventTime) },
      ':receivedTime': { N: String(requestContext.timeEpoch) },
      ':clientIp': { S: query?.['ClientIP'] ?? '' },
      ':optPlatform': { S: query?.['OptPlatform'] ?? '' },
    },
  });
}
