import { randomUUID } from 'node:crypto';
import {
  DeleteRuleCommand,
  EventBridgeClient,
  PutRuleCommand,
  PutTargetsCommand,
  RemoveTargetsCommand,
} from '@aws-sdk/client-eventbridge';
import {
  CreateQueueCommand,
  DeleteQueueCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SetQueueAttributesCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import { getHere } from '../local/chat.ts';
import { Failure } from '../local/command-line.ts';
import { tryTo } from './aws-errors.ts';
import type { DeployedStack } from './deployed-stack.ts';

/** What watches the event bus for one official account. */
export interface EventWatch {
  /** Looks for an event about it, for some seconds. @returns the first one's detail type, or undefined. */
  look(): Promise<string | undefined>;
  /** Removes what it takes. @throws Failure that names what is left. */
  stop(): Promise<void>;
}

/** What is made for it on AWS is named so, for whoever finds some that was left. */
export const NAME_PREFIX = 'tencent-chat-smoke-';

const LOOK_SECONDS = 2;

/** Begins to watch. @throws AwsFailure */
export async function watchEvents(deployment: DeployedStack, officialAccountId: string): Promise<EventWatch> {
  const { eventsUrl, eventBusName } = deployment;
  if (eventsUrl !== undefined) return watchStream(eventsUrl, officialAccountId);
  return watchBus(deployment, eventBusName, officialAccountId);
}

/** Watches by a rule of its own that sends the account's events to a queue of its own. */
async function watchBus(
  { clientSettings }: DeployedStack,
  EventBusName: string,
  officialAccountId: string,
): Promise<EventWatch> {
  const events = new EventBridgeClient(clientSettings('EVENTBRIDGE'));
  const sqs = new SQSClient(clientSettings('SQS'));
  const name = NAME_PREFIX + randomUUID();
  const made: { what: string; remove: () => Promise<unknown> }[] = [];

  async function stop(): Promise<void> {
    const left: string[] = [];
    for (const { what, remove } of made.splice(0).toReversed()) await remove().catch(() => left.push(what));
    events.destroy();
    sqs.destroy();
    if (left.length > 0) throw new Failure(`Can't delete ${left.join(' and ')}: delete it by hand`);
  }

  try {
    const { QueueUrl = '' } = await tryTo('create a queue for the events', () =>
      sqs.send(new CreateQueueCommand({ QueueName: name, Attributes: { MessageRetentionPeriod: '600' } })),
    );
    made.push({ what: `the queue ${name}`, remove: () => sqs.send(new DeleteQueueCommand({ QueueUrl })) });
    const { Attributes = {} } = await tryTo('read its ARN', () =>
      sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['QueueArn'] })),
    );
    const queueArn = Attributes['QueueArn'] ?? '';
    const { RuleArn } = await tryTo('create a rule for the events', () =>
      events.send(
        new PutRuleCommand({
          Name: name,
          EventBusName,
          EventPattern: JSON.stringify({ detail: { officialAccountId: [officialAccountId] } }),
          Description: 'Made by npm run smoke, which deletes it',
        }),
      ),
    );
    made.push({
      what: `the rule ${name}`,
      remove: () => events.send(new DeleteRuleCommand({ Name: name, EventBusName })),
    });
    const policy = {
      Version: '2012-10-17',
      Statement: [
        {
          Effect: 'Allow',
          Principal: { Service: 'events.amazonaws.com' },
          Action: 'sqs:SendMessage',
          Resource: queueArn,
          Condition: { ArnEquals: { 'aws:SourceArn': RuleArn } },
        },
      ],
    };
    await tryTo('let the rule send to the queue', () =>
      sqs.send(new SetQueueAttributesCommand({ QueueUrl, Attributes: { Policy: JSON.stringify(policy) } })),
    );
    await tryTo('send the events to the queue', () =>
      events.send(new PutTargetsCommand({ Rule: name, EventBusName, Targets: [{ Id: 'queue', Arn: queueArn }] })),
    );
    made.push({
      what: `the rule's target`,
      remove: () => events.send(new RemoveTargetsCommand({ Rule: name, EventBusName, Ids: ['queue'] })),
    });
    return {
      stop,
      look: async () => {
        const { Messages: [message] = [] } = await tryTo('read the events', () =>
          sqs.send(new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: LOOK_SECONDS })),
        );
        return message && JSON.parse(message.Body ?? '')['detail-type'];
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Watches the events that `npm start` serves. */
async function watchStream(eventsUrl: string, officialAccountId: string): Promise<EventWatch> {
  const over = new AbortController();
  const seen: string[] = [];
  const response = await getHere(eventsUrl, over.signal);
  const reading = (async () => {
    let text = '';
    for await (const chunk of response.setEncoding('utf8')) {
      const events = (text + chunk).split('\n\n');
      text = events.pop() ?? '';
      for (const event of events) {
        const data = /^data: (.*)$/m.exec(event)?.[1];
        if (data === undefined) continue;
        const { detail, 'detail-type': type } = JSON.parse(data);
        if (detail.officialAccountId === officialAccountId) seen.push(type);
      }
    }
  })().catch(() => {}); // it ends with an AbortError
  return {
    async look() {
      const end = Date.now() + LOOK_SECONDS * 1000;
      while (seen.length === 0 && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 20));
      return seen[0];
    },
    async stop() {
      over.abort();
      await reading;
    },
  };
}
