import { Logger } from '@aws-lambda-powertools/logger';
import { EventBridgeClient } from '@aws-sdk/client-eventbridge';
import { publisherVariables, readConfig } from './config.ts';
import { putEvents } from './event-bus.ts';
import { PUBLISH_LIMITS } from './limits.ts';
import { createPublisher } from './publish.ts';
import { clientSettings } from './sdk-client.ts';
import type { SetAside } from './unpublished-queue.ts';

const { serviceName, eventBusName, unpublishedQueueUrl } = readConfig(publisherVariables(), process.env);
const client = new EventBridgeClient(clientSettings({ ...PUBLISH_LIMITS, attempts: 1 })); // putEvents repeats calls
let queue: SetAside | undefined;

/** Publishes the changes in the table's stream as events. */
export const handler = createPublisher({
  logger: new Logger({ serviceName }),
  putEvents: (events) => putEvents(client, eventBusName, events),
  async setAside(record, reason) {
    // Loaded from its own bundle on demand, because the SQS client would slow down every cold start.
    queue ??= (await import('./unpublished-queue.ts')).openUnpublishedQueue(unpublishedQueueUrl);
    await queue(record, reason);
  },
});
