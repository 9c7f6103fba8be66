import https from 'node:https';
import { once } from 'node:events';
import { buffer } from 'node:stream/consumers';
import type { APIGatewayProxyEventV2 } from 'aws-lambda';

const agent = new https.Agent({ keepAlive: true });

/** DIRECT: sends a delivery to the backend in the ordinary way. Its cost is that of the way without the receiver. */
export const handler = async ({ rawQueryString, body }: APIGatewayProxyEventV2) => {
  const request = https.request(`${process.env['FORWARD_URL']}?${rawQueryString}`, { method: 'POST', agent });
  request.end(Buffer.from(body ?? '', 'base64'));
  const [response] = await once(request, 'response');
  return { statusCode: response.statusCode, body: (await buffer(response)).toString('base64'), isBase64Encoded: true };
};
