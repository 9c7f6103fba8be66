import { createHash } from 'node:crypto';
import { awsJsonServer, ServiceError } from '../../../infra/local/aws/aws-json.ts';
import { listen } from '../../../infra/local/aws/loopback.ts';
import type { AwsError } from './fake-aws.ts';

export type FakeEventBus = Awaited<ReturnType<typeof startFakeEventBus>>;

/**
 * Starts an EventBridge and an SQS with one rule and one queue, which is enough to watch the event bus.
 *
 * @see https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutRule.html
 */
export async function startFakeEventBus() {
  const there = new Set<string>();
  const waiting: string[] = [];
  const operation = (name: string, act: (input: Record<string, string>) => object) => ({
    [name]: (input: Record<string, string>) => {
      bus.calls.push(name);
      const error = bus.errors[name];
      if (error !== undefined) throw new ServiceError(error.code, error.message);
      return act(input);
    },
  });
  const add = (what: string, answer: object) => (there.add(what), answer);
  const remove = (what: string) => (there.delete(what), {});
  const arn = 'arn:aws:sqs:eu-central-1:111122223333:queue';
  const server = awsJsonServer({
    ...operation('AmazonSQS.CreateQueue', ({ QueueName }) =>
      add('queue', { QueueUrl: `${bus.url}/111122223333/${QueueName}` }),
    ),
    ...operation('AmazonSQS.GetQueueAttributes', () => ({ Attributes: { QueueArn: arn } })),
    ...operation('AmazonSQS.SetQueueAttributes', () => ({})),
    ...operation('AmazonSQS.ReceiveMessage', () => {
      const Body = waiting.shift() ?? '';
      const MD5OfBody = createHash('md5').update(Body).digest('hex');
      return { Messages: Body === '' ? [] : [{ Body, MD5OfBody }] };
    }),
    ...operation('AmazonSQS.DeleteQueue', () => remove('queue')),
    ...operation('AWSEvents.PutRule', ({ EventPattern = '' }) => {
      bus.wanted = JSON.parse(EventPattern).detail.officialAccountId;
      return add('rule', { RuleArn: 'arn:aws:events:eu-central-1:111122223333:rule/bus/rule' });
    }),
    ...operation('AWSEvents.PutTargets', () => add('target', { FailedEntryCount: 0 })),
    ...operation('AWSEvents.RemoveTargets', () => remove('target')),
    ...operation('AWSEvents.DeleteRule', () => {
      if (there.has('target'))
        throw new ServiceError('ValidationException', "Rule can't be deleted since it has targets.");
      return remove('rule');
    }),
  });
  const bus = {
    ...(await listen(server, 0)),
    calls: [] as string[],
    errors: {} as Record<string, AwsError>,
    wanted: [] as string[],
    /** Resources that were created and not deleted. */
    left: () => ['queue', 'rule', 'target'].filter((what) => there.has(what)),
    /** Puts an event on the bus. The queue gets it if the rule matches. */
    put(event: { 'detail-type': string; detail: { officialAccountId: string } }) {
      if (there.has('target') && bus.wanted.includes(event.detail.officialAccountId))
        waiting.push(JSON.stringify(event));
    },
    clear() {
      there.clear();
      waiting.splice(0);
      bus.calls.splice(0);
      bus.errors = {};
    },
  };
  return bus;
}
