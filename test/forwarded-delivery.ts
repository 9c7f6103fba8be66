import type { Delivery } from '../lambda/delivery.ts';

/** Name of the deployment. */
export const DEPLOYMENT_NAME = 'https://sqs.ap-southeast-1.amazonaws.com/123456789012/Dead-letters';
export const RAW_QUERY =
  'sdkappid=1400000000&CallbackCommand=C2C.CallbackBeforeSendMsg&x=%e4%BD%a0+1&x=2&Sign=0a&RequestTime=1';
export const BODY = Buffer.from('{"MsgBody":[{"Text":"你好"}]}');

/** Returns a delivery that has just arrived, with 0.5 s left until Chat's timeout. */
export function deliveryOf(change: Partial<Delivery> = {}, leftMs = 500): Delivery {
  return {
    rawQueryString: RAW_QUERY,
    headers: { 'content-type': 'application/json', 'x-forwarded-for': '198.51.100.7' },
    requestContext: { requestId: 'one', timeEpoch: Date.now() - 2_000 + leftMs, http: { sourceIp: '198.51.100.7' } },
    query: {},
    body: BODY.toString('base64'),
    isBase64Encoded: true,
    ...change,
  };
}
