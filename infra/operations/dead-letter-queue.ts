import {
  ChangeMessageVisibilityCommand,
  DeleteMessageCommand,
  MessageNotInflight,
  ReceiptHandleIsInvalid,
  ReceiveMessageCommand,
  SendMessageCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import { parseQueuedDelivery, type QueuedDelivery, type QueueUrls } from '../../lambda/delivery-queues.ts';
import { tryTo } from './aws-errors.ts';

/** A message for people, as it lies in the queue. */
export interface DeadLetter {
  /** SQS's, which stays the same while it lies there. */
  id: string;
  text: string;
  /** The delivery; none where this version of the software does not understand the message. */
  delivery: QueuedDelivery | undefined;
  receipt: string;
}

export interface DeadLetterQueue {
  /**
   * Takes out what lies there, ten at a time: others don't see it until it is released, or for a minute. What a longer
   * look sees again is left out. Ends where nothing is left, or nothing new has come for a while.
   */
  all(): AsyncGenerator<DeadLetter[]>;
  /** Whether {@link all} has ended although there were still messages: among them may be one that it has not seen. */
  mayHaveMore(): boolean;
  /** Sends a message to the parking queue, from which it is received once more, and only then deletes it here. */
  replay(letter: DeadLetter): Promise<void>;
  drop(letter: DeadLetter): Promise<void>;
  /** Lets others see at once what was taken out and is still there. */
  release(): Promise<void>;
}

const HIDDEN_SECONDS = 60;
/** Several servers share a queue: with a pause, SQS asks all of them. */
const WAIT_SECONDS = 1;
const PAGE = 10;
/** SQS gives any ten of its messages. */
const MAX_PAGES_WITHOUT_NEWS = 20;

export function deadLetterQueue(client: Pick<SQSClient, 'send'>, queues: QueueUrls): DeadLetterQueue {
  const { parkingQueueUrl, deadLetterQueueUrl: QueueUrl } = queues;
  const held = new Map<string, string>();
  let mayHaveMore = false;

  const receive = () =>
    tryTo('read the dead-letter queue', async () => {
      const page = new ReceiveMessageCommand({
        QueueUrl,
        MaxNumberOfMessages: PAGE,
        VisibilityTimeout: HIDDEN_SECONDS,
        WaitTimeSeconds: WAIT_SECONDS,
      });
      return (await client.send(page)).Messages ?? [];
    });

  async function drop({ id, receipt }: DeadLetter): Promise<void> {
    await tryTo('delete the message from the dead-letter queue', () =>
      client.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle: held.get(id) ?? receipt })),
    );
    held.delete(id);
  }

  return {
    drop,
    async *all() {
      const seen = new Set<string>();
      let pagesWithoutNews = 0;
      while (pagesWithoutNews < MAX_PAGES_WITHOUT_NEWS) {
        const messages = await receive();
        if (messages.length === 0) return;
        const letters: DeadLetter[] = [];
        for (const { MessageId: id = '', ReceiptHandle: receipt = '', Body: text = '' } of messages) {
          held.set(id, receipt);
          // One that was seen has become visible again: the look takes longer than a minute.
          if (!seen.has(id)) letters.push({ id, receipt, text, delivery: understood(text) });
          seen.add(id);
        }
        pagesWithoutNews = letters.length > 0 ? 0 : pagesWithoutNews + 1;
        if (letters.length > 0) yield letters;
      }
      mayHaveMore = true;
    },
    mayHaveMore: () => mayHaveMore,
    async replay(letter) {
      await tryTo('send the message to the parking queue', () =>
        client.send(new SendMessageCommand({ QueueUrl: parkingQueueUrl, MessageBody: letter.text })),
      );
      await drop(letter);
    },
    async release() {
      const failures: unknown[] = [];
      for (const ReceiptHandle of held.values()) {
        try {
          await client.send(new ChangeMessageVisibilityCommand({ QueueUrl, ReceiptHandle, VisibilityTimeout: 0 }));
        } catch (error) {
          // Where its minute is over, it is visible already.
          if (!(error instanceof MessageNotInflight || error instanceof ReceiptHandleIsInvalid)) failures.push(error);
        }
      }
      held.clear();
      if (failures.length > 0) await tryTo('release the messages', () => Promise.reject(failures[0]));
    },
  };
}

function understood(text: string): QueuedDelivery | undefined {
  try {
    const delivery = parseQueuedDelivery(text);
    new Date(delivery.receivedTime).toISOString(); // throws where it is no time, as only a message made by hand has it
    return delivery;
  } catch {
    return undefined;
  }
}
