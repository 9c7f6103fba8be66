import { ConditionalCheckFailedException, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import middy from '@middy/core';
import httpJsonBodyParser from '@middy/http-json-body-parser';
import type { APIGatewayProxyEventV2 } from 'aws-lambda';
import { OK } from './ok.ts';
import { upsert, type Payload } from './upsert.ts';

type Event = Omit<APIGatewayProxyEventV2, 'body'> & { body: Payload };

const dynamoDb = new DynamoDBClient();

/** PLAIN: the ordinary way to make the same conditional write as OURS, and nothing else. Everything has its default. */
export const handler = middy<Event>()
  .use(httpJsonBodyParser({ disableContentTypeCheck: true })) // Chat's request has none
  .handler(async (event: Event) => {
    try {
      await dynamoDb.send(upsert(event.body, event));
    } catch (error) {
      if (!(error instanceof ConditionalCheckFailedException)) throw error;
    }
    return OK;
  });
