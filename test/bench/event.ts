import {
  DOCUMENTED_SAMPLE,
  EXAMPLE_CLIENT,
  EXAMPLE_SDK_APP_ID,
  EXAMPLE_TOKEN,
  deliveryUrl,
} from '../../infra/local/chat.ts';
import { toEvent } from '../../infra/local/aws/gateway.ts';

/** The documented sample as API Gateway hands it over: JSON text. Its signature stays good, its receipt being part of it. */
export function deliveryEvent(): string {
  const sender = { sdkAppId: EXAMPLE_SDK_APP_ID, token: EXAMPLE_TOKEN, ...EXAMPLE_CLIENT };
  const url = deliveryUrl({ url: 'https://example.com/webhook', ...sender }, DOCUMENTED_SAMPLE.CallbackCommand);
  const body = Buffer.from(JSON.stringify(DOCUMENTED_SAMPLE));
  const request = {
    httpVersion: '1.1',
    headers: { host: [url.host], 'content-length': [String(body.length)] },
    rawQueryString: url.search.slice(1),
    body,
    sourceIp: '198.51.100.1',
  };
  return JSON.stringify(toEvent(request, { method: 'POST', path: url.pathname }));
}
