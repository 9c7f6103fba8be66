import { setTimeout as sleep } from 'node:timers/promises';
import { MessageNotInflight, SQS } from '@aws-sdk/client-sqs';
import { expect, test } from '@jest/globals';
import { startSqs } from '../../../infra/local/aws/sqs.ts';
import { deadLetterQueue } from '../../../infra/operations/dead-letter-queue.ts';
import { deadLetter } from './dead-letter.ts';

const QUEUES = { parkingQueueUrl: 'parked', deadLetterQueueUrl: 'dead' };

/**
 * Creates both queues in memory.
 *
 * @param hiddenReceipts number of receives after which a received message is visible again.
 * @param isFair whether the queue returns all messages in turn, and not only the first ones.
 */
function queuesInMemory(bodies: readonly string[], hiddenReceipts = Infinity, isFair = false) {
  const dead = bodies.map((Body, n) => ({ MessageId: `${n}`, ReceiptHandle: `${n}`, Body, visibleFrom: 0 }));
  const parked: string[] = [];
  const hiddenSeconds = new Set<number | undefined>();
  let receipts = 0;

  const indexOf = (receipt: string) => dead.findIndex((each) => each.ReceiptHandle === receipt);
  const calls = {
    receiveMessage({ VisibilityTimeout }: { VisibilityTimeout: number }) {
      hiddenSeconds.add(VisibilityTimeout);
      receipts += 1;
      const visible = dead.filter(({ visibleFrom }) => visibleFrom <= receipts);
      const start = isFair ? (receipts * 10) % visible.length : 0;
      const page = visible.slice(start, start + 10);
      for (const each of page) each.visibleFrom = receipts + hiddenReceipts;
      return { Messages: page };
    },
    sendMessage: ({ MessageBody }: { MessageBody: string }) => void parked.push(MessageBody),
    deleteMessage: ({ ReceiptHandle }: { ReceiptHandle: string }) => void dead.splice(indexOf(ReceiptHandle), 1),
    changeMessageVisibility() {
      throw new MessageNotInflight({ message: 'its minute is over', $metadata: {} });
    },
  };
  /** Creates a client. @param dieAt number of the call before or after which the process is killed. */
  function client(dieAt = Infinity, isDone = true) {
    let count = 0;
    const mortal = Object.entries(calls).map(([name, act]) => [
      name,
      async (input: never) => {
        count += 1;
        if (count > dieAt || (count === dieAt && !isDone)) throw new Error('killed');
        const answer = act(input);
        if (count === dieAt) throw new Error('killed');
        return answer;
      },
    ]);
    return Object.fromEntries(mortal) as SQS;
  }
  return { dead, parked, hiddenSeconds, client };
}

const bodies = (count: number) => Array.from({ length: count }, (_, n) => deadLetter({ requestId: `${n}` }));

async function replayAll(client: SQS): Promise<void> {
  const queue = deadLetterQueue(client, QUEUES);
  for await (const page of queue.all()) for (const letter of page) await queue.replay(letter);
}
const CALLS = 211; // for 100 messages: 11 receives, the last one empty; 100 sends; 100 deletions

test.each([
  ['before', false],
  ['after', true],
])('a replay that is killed %s any of its steps loses none of 100 messages', async (_when, isDone) => {
  const all = bodies(100);
  for (let dieAt = 1; dieAt <= CALLS; dieAt += 1) {
    const { dead, parked, client } = queuesInMemory(all);
    await expect(replayAll(client(dieAt, isDone))).rejects.toThrow('killed');
    expect(new Set([...dead.map(({ Body }) => Body), ...parked])).toEqual(new Set(all));
    for (const each of dead) each.visibleFrom = 0; // a minute later
    await replayAll(client());
    expect(dead).toEqual([]);
    expect(new Set(parked)).toEqual(new Set(all));
    expect(parked.length).toBeLessThanOrEqual(all.length + 1);
  }
});

async function idsIn(queue: ReturnType<typeof deadLetterQueue>): Promise<string[]> {
  const ids: string[] = [];
  for await (const page of queue.all()) ids.push(...page.map(({ id }) => id));
  return ids;
}

test('each message is returned once, even if it is visible again, and hidden for a minute', async () => {
  const { dead, client, hiddenSeconds } = queuesInMemory(bodies(40), 3, true);
  const queue = deadLetterQueue(client(), QUEUES);
  expect((await idsIn(queue)).toSorted()).toEqual(dead.map(({ MessageId }) => MessageId).toSorted());
  expect([...hiddenSeconds]).toEqual([60]);
  await expect(queue.release()).resolves.toBeUndefined();
});

test('reading ends if the same messages come again and again, and is then incomplete', async () => {
  const queue = deadLetterQueue(queuesInMemory(bodies(40), 2).client(), QUEUES);
  expect(await idsIn(queue)).toHaveLength(20);
  expect(queue.mayHaveMore()).toBe(true);
});

test('on this machine a message is hidden for the full minute, although the clock of its queues is faster', async () => {
  const sqs = await startSqs([{ name: 'dead', visibilitySeconds: 30 }], 1);
  await using closing = new AsyncDisposableStack();
  closing.defer(sqs.close);
  const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
  const client = new SQS({ endpoint: sqs.url, region: 'us-east-1', credentials });
  const read = () => idsIn(deadLetterQueue(client, { ...QUEUES, deadLetterQueueUrl: sqs.queueUrl('dead') }));
  await sqs.send('dead', deadLetter());
  expect(await read()).toHaveLength(1);
  await sleep(100); // longer than a minute on that clock
  expect(await read()).toEqual([]);
});
