import { randomUUID } from 'node:crypto';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { EventBridge } from '@aws-sdk/client-eventbridge';
import { SQS } from '@aws-sdk/client-sqs';
import { awsClientSettings } from '../cli/aws-client.ts';
import { tryTo } from '../cli/aws-errors.ts';
import type { DeployedStack } from '../cli/deployed-stack.ts';
import { OperationError } from '../cli/errors.ts';
import { request } from '../cli/http.ts';

/** Watches the event bus for events about one official account. */
export interface EventWatch {
  /** Waits some seconds for an event. @returns the detail type of the first one, or undefined. */
  look(): Promise<string | undefined>;
  /** Deletes the queue and the rule of the watch. @throws OperationError that names what is left. */
  stop(): Promise<void>;
}

/** The names of the queue and the rule begin with this, so that operators recognize leftovers. */
export const NAME_PREFIX = 'tencent-chat-smoke-';

const LOOK_SECONDS = 2;

/** Begins to watch. @throws AwsCallError */
export async function watchEvents(deployment: DeployedStack, officialAccountId: string): Promise<EventWatch> {
  const { eventsUrl, eventBusName } = deployment;
  return eventsUrl === undefined
    ? watchBus(eventBusName, officialAccountId)
    : watchStream(eventsUrl, officialAccountId);
}

/** Creates a rule that sends the account's events to a new queue. */
async function watchBus(EventBusName: string, officialAccountId: string): Promise<EventWatch> {
  const events = new EventBridge(awsClientSettings());
  const sqs = new SQS(awsClientSettings());
  const name = NAME_PREFIX + randomUUID();
  const created: { what: string; remove: () => Promise<unknown> }[] = [];

  async function stop(): Promise<void> {
    const left: string[] = [];
    for (const { what, remove } of created.splice(0).toReversed()) await remove().catch(() => left.push(what));
    if (left.length > 0) throw new OperationError(`Can't delete ${left.join(' and ')}: delete it by hand`);
  }

  try {
    const { QueueUrl = '' } = await tryTo('create a queue for the events', () =>
      sqs.createQueue({ QueueName: name, Attributes: { MessageRetentionPeriod: '600' } }),
    );
    created.push({ what: `the queue ${name}`, remove: () => sqs.deleteQueue({ QueueUrl }) });
    const { Attributes = {} } = await tryTo('read its ARN', () =>
      sqs.getQueueAttributes({ QueueUrl, AttributeNames: ['QueueArn'] }),
    );
    const queueArn = Attributes['QueueArn'] ?? '';
    const { RuleArn } = await tryTo('create a rule for the events', () =>
      events.putRule({
        Name: name,
        EventBusName,
        EventPattern: JSON.stringify({ detail: { officialAccountId: [officialAccountId] } }),
        Description: 'Created by npm run smoke, which deletes it',
      }),
    );
    created.push({ what: `the rule ${name}`, remove: () => events.deleteRule({ Name: name, EventBusName }) });
    const permission = {
      Effect: 'Allow',
      Principal: { Service: 'events.amazonaws.com' },
      Action: 'sqs:SendMessage',
      Resource: queueArn,
      Condition: { ArnEquals: { 'aws:SourceArn': RuleArn } },
    };
    const Policy = JSON.stringify({ Version: '2012-10-17', Statement: [permission] });
    await tryTo('let the rule send to the queue', () => sqs.setQueueAttributes({ QueueUrl, Attributes: { Policy } }));
    const target = { Rule: name, EventBusName };
    await tryTo('send the events to the queue', () =>
      events.putTargets({ ...target, Targets: [{ Id: 'queue', Arn: queueArn }] }),
    );
    created.push({ what: "the rule's target", remove: () => events.removeTargets({ ...target, Ids: ['queue'] }) });
    return {
      stop,
      look: async () => {
        const { Messages: [message] = [] } = await tryTo('read the events', () =>
          sqs.receiveMessage({ QueueUrl, WaitTimeSeconds: LOOK_SECONDS }),
        );
        return message && JSON.parse(message.Body ?? '')['detail-type'];
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Reads the events that `npm start` serves. */
async function watchStream(eventsUrl: string, officialAccountId: string): Promise<EventWatch> {
  const stopped = new AbortController();
  const seen: string[] = [];
  const response = await request(new URL(eventsUrl), { signal: stopped.signal });
  const lines = createInterface(response);
  lines.on('error', () => {}); // stop() aborts it
  lines.on('line', (line) => {
    const [, data] = /^data: (.*)$/.exec(line) ?? [];
    const { detail, 'detail-type': type } = data === undefined ? {} : JSON.parse(data);
    if (detail?.officialAccountId === officialAccountId) seen.push(type);
  });
  return {
    async look() {
      const end = Date.now() + LOOK_SECONDS * 1000;
      while (seen.length === 0 && Date.now() < end) await sleep(20);
      return seen[0];
    },
    stop: async () => stopped.abort(),
  };
}
