import { setTimeout as sleep } from 'node:timers/promises';
import {
  ChangeMessageVisibilityCommand,
  DeleteMessageCommand,
  MessageNotInflight,
  ReceiveMessageCommand,
  SendMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import { describe, expect, test } from '@jest/globals';
import { startSqs } from '../../../infra/local/aws/sqs.ts';
import { deadLetterQueue } from '../../../infra/operations/dead-letter-queue.ts';
import { deadLetter } from './dead-letter.ts';

const QUEUES = { parkingQueueUrl: 'parked', deadLetterQueueUrl: 'dead' };

describe('a replay that is killed', () => {
  /** Creates two queues in memory. @param dieAt number of the call before or after which the process is killed. */
  function queuesInMemory(bodies: readonly string[]) {
    const dead = bodies.map((Body, n) => ({ MessageId: `${n}`, ReceiptHandle: `${n}`, Body, isHidden: false }));
    const parked: string[] = [];
    function client(dieAt: number, isDone: boolean) {
      let calls = 0;
      return {
        async send(command: object) {
          calls += 1;
          if (calls > dieAt || (calls === dieAt && !isDone)) throw new Error('killed');
          const answer = act(command);
          if (calls === dieAt) throw new Error('killed');
          return answer;
        },
      } as never;
    }
    function act(command: object) {
      if (command instanceof ReceiveMessageCommand) {
        const page = dead.filter(({ isHidden }) => !isHidden).slice(0, command.input.MaxNumberOfMessages);
        for (const each of page) each.isHidden = true;
        return { Messages: page };
      }
      if (command instanceof SendMessageCommand) return void parked.push(command.input.MessageBody ?? '');
      const { ReceiptHandle } = (command as DeleteMessageCommand | ChangeMessageVisibilityCommand).input;
      const index = dead.findIndex((each) => each.ReceiptHandle === ReceiptHandle);
      if (command instanceof DeleteMessageCommand) dead.splice(index, 1);
      else dead[index]!.isHidden = false;
      return {};
    }
    return { dead, parked, client };
  }

  async function replayAll(client: never): Promise<void> {
    const queue = deadLetterQueue(client, QUEUES);
    for await (const page of queue.all()) for (const letter of page) await queue.replay(letter);
  }

  const bodies = Array.from({ length: 100 }, (_, n) => deadLetter({ requestId: `${n}` }));
  const CALLS = 211; // 11 receives, the last one empty; 100 sends; 100 deletions

  test.each([
    ['before', false],
    ['after', true],
  ])('%s any of its steps loses none of 100 messages, and can be continued', async (_when, isDone) => {
    for (let dieAt = 1; dieAt <= CALLS; dieAt += 1) {
      const { dead, parked, client } = queuesInMemory(bodies);
      await expect(replayAll(client(dieAt, isDone))).rejects.toThrow('killed');
      expect(new Set([...dead.map(({ Body }) => Body), ...parked])).toEqual(new Set(bodies));
      for (const each of dead) each.isHidden = false; // a minute later
      await replayAll(client(Infinity, true));
      expect(dead).toEqual([]);
      expect(new Set(parked)).toEqual(new Set(bodies));
      expect(parked.length).toBeLessThanOrEqual(bodies.length + 1);
    }
  });
});

describe('reading the queue', () => {
  async function everything(queue: ReturnType<typeof deadLetterQueue>): Promise<string[]> {
    const ids: string[] = [];
    for await (const page of queue.all()) ids.push(...page.map(({ id }) => id));
    return ids;
  }

  /**
   * Creates a queue whose messages are visible again after some receives, as if reading took longer than a minute.
   *
   * @param isFair whether the queue returns all messages in turn, and not only the first ones.
   */
  function hasty(count: number, hiddenReceipts: number, isFair = true) {
    const visibleFrom = Array.from({ length: count }, () => 0);
    const hiddenSeconds = new Set<number | undefined>();
    let receipts = 0;
    const client = {
      async send(command: object) {
        if (!(command instanceof ReceiveMessageCommand)) {
          throw new MessageNotInflight({ message: 'its minute is over', $metadata: {} });
        }
        hiddenSeconds.add(command.input.VisibilityTimeout);
        receipts += 1;
        const visible = visibleFrom.flatMap((from, n) => (from <= receipts ? [n] : []));
        const start = isFair ? (receipts * 10) % visible.length : 0;
        const page = visible.slice(start, start + 10);
        for (const n of page) visibleFrom[n] = receipts + hiddenReceipts;
        return { Messages: page.map((n) => ({ MessageId: `${n}`, ReceiptHandle: `${n}`, Body: '' })) };
      },
    };
    return { client: client as never, hiddenSeconds };
  }

  test('returns each message once, even if messages become visible again, and hides them for a minute', async () => {
    const { client, hiddenSeconds } = hasty(40, 3);
    const ids = await everything(deadLetterQueue(client, QUEUES));
    expect(ids.toSorted()).toEqual(Array.from({ length: 40 }, (_, n) => `${n}`).toSorted());
    expect([...hiddenSeconds]).toEqual([60]);
  });

  test('ends if it gets the same messages again and again, and is then incomplete', async () => {
    const queue = deadLetterQueue(hasty(40, 2, false).client, QUEUES);
    expect(await everything(queue)).toHaveLength(20);
    expect(queue.mayHaveMore()).toBe(true);
  });

  test('releases all messages, although the minute of some is over', async () => {
    const { client } = hasty(20, 4);
    const queue = deadLetterQueue(client, QUEUES);
    await everything(queue);
    await expect(queue.release()).resolves.toBeUndefined();
  });

  test('waits for the full time on this machine, although the clock of its queues is faster', async () => {
    const sqs = await startSqs([{ name: 'dead', visibilitySeconds: 30 }], 1);
    const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
    const client = new SQSClient({ endpoint: sqs.url, region: 'us-east-1', credentials });
    const queue = deadLetterQueue(client, { parkingQueueUrl: '', deadLetterQueueUrl: sqs.queueUrl('dead') });
    try {
      for (let n = 0; n < 30; n += 1) await sqs.send('dead', deadLetter());
      let seen = 0;
      for await (const page of queue.all()) {
        seen += page.length;
        await sleep(100);
      }
      expect({ seen, mayHaveMore: queue.mayHaveMore() }).toEqual({ seen: 30, mayHaveMore: false });
    } finally {
      client.destroy();
      await sqs.close();
    }
  });
});
