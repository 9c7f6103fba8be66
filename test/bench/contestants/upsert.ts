import { UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import type { APIGatewayProxyEventV2 } from 'aws-lambda';

/** Fields of the body that the record needs. */
export type Payload = Record<'Official_Account' | 'Operator_Account' | 'Owner_Account' | 'Name', string> & {
  EventTime: number;
};

const FIELDS = 'name ownerAccount operatorAccount createdTime eventTime receivedTime clientIp optPlatform'.split(' ');
const NAMES = Object.fromEntries(FIELDS.map((name) => [`#${name}`, name]));

/** Returns the conditional write of the same record as that of OURS. */
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
    ExpressionAttributeNames: NAMES,
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
