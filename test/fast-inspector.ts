import type { Page } from 'playwright-core';
import { startDynamoDb, dynamoDbClient } from '../infra/local/aws/dynamodb.ts';
import { startEventBus } from '../infra/local/aws/event-bus.ts';
import { startGateway } from '../infra/local/aws/gateway.ts';
import { startSqs } from '../infra/local/aws/sqs.ts';
import { createHistory } from '../infra/local/inspector/history.ts';
import { startInspector } from '../infra/local/inspector/server.ts';
import { post } from '../infra/local/chat.ts';
import { httpDelivery, OK, SDK_APP_ID } from './delivery.ts';

/** Starts the gateway and the inspector with a function that replies at once, because thousands of deliveries take time. */
export async function startFastInspector() {
  await using started = new AsyncDisposableStack();
  const history = createHistory();
  const gateway = await startGateway(
    { method: 'POST', path: '/webhook' },
    async (event) => {
      const { requestId } = (event as { requestContext: { requestId: string } }).requestContext;
      history.log(JSON.stringify({ level: 'INFO', message: 'delivery', requestId, outcome: 'stored', ms: 5 }));
      return { statusCode: 200, headers: { 'content-type': OK.type }, body: OK.body };
    },
    0,
    history.observe,
  );
  started.defer(gateway.close);
  const [bus, sqs, database] = await Promise.all([startEventBus([]), startSqs([], 1), startDynamoDb([])]);
  for (const { close } of [bus, sqs, database]) started.defer(close);
  const inspector = await startInspector({
    port: 0,
    history,
    bus,
    sqs,
    queueNames: [],
    dynamoDb: started.adopt(dynamoDbClient(database.url), (client) => client.destroy()),
    tableName: 'none',
    token: 'token',
    description: { webhookUrl: `${gateway.url}/webhook`, eventBusName: '', environment: {} },
    settings: { sdkAppId: SDK_APP_ID, allowedCidrs: [] },
  });
  started.defer(inspector.close);
  const running = started.move();
  let sent = 0;
  return {
    inspectorUrl: inspector.url,
    history,
    /** Posts deliveries about official accounts with increasing numbers, twenty at a time. */
    async deliver(count: number): Promise<void> {
      const end = sent + count;
      const worker = async () => {
        while (sent < end) {
          sent += 1;
          const { query, payload } = httpDelivery();
          const account = { Official_Account: `@TOA#_${sent}`, Introduction: '新'.repeat(500) };
          await post(new URL(`${gateway.url}/webhook?${query}`), JSON.stringify({ ...payload, ...account }));
        }
      };
      await Promise.all(Array.from({ length: 20 }, worker));
    },
    /** Returns whether the page has the newest delivery. */
    async isCaughtUp(page: Page): Promise<boolean> {
      const first = page.locator('ol li').first();
      const [text, position] = await Promise.all([first.innerText(), first.getAttribute('aria-posinset')]);
      return Number(/TOA#_(\d+)/.exec(text)?.[1]) + Number(position) - 1 === sent;
    },
    close: () => running.disposeAsync(),
  };
}

export type FastInspector = Awaited<ReturnType<typeof startFastInspector>>;
