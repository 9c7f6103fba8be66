import type { SQS } from '@aws-sdk/client-sqs';
import { parseQueuedDelivery, type QueuedDelivery, type QueueUrls } from '../../lambda/delivery-queues.ts';
import { tryTo } from '../cli/aws-errors.ts';

/** A message of the dead-letter queue. */
export interface DeadLetter {
  /** The message ID of SQS. It stays the same as long as the message is in the queue. */
  id: string;
  text: string;
  /** Undefined if this version of the software cannot read the message. */
  delivery: QueuedDelivery | undefined;
  receipt: string;
}

export type DeadLetterQueue = ReturnType<typeof deadLetterQueue>;

const HIDDEN_SECONDS = 60;
/** With a wait time, SQS asks all of its servers, not only some. */
const WAIT_SECONDS = 1;
const PAGE = 10;
/** SQS returns messages in any order, also those that came before. */
const MAX_PAGES_WITHOUT_NEWS = 20;

type SqsCalls = Pick<SQS, 'changeMessageVisibility' | 'deleteMessage' | 'receiveMessage' | 'sendMessage'>;

/** Opens the dead-letter queue of a deployment. */
export function deadLetterQueue(sqs: SqsCalls, queues: QueueUrls) {
  const { parkingQueueUrl, deadLetterQueueUrl: QueueUrl } = queues;
  const held = new Map<string, string>();
  let mayHaveMore = false;

  const receive = () =>
    tryTo('read the dead-letter queue', async () => {
      const limits = { MaxNumberOfMessages: PAGE, VisibilityTimeout: HIDDEN_SECONDS, WaitTimeSeconds: WAIT_SECONDS };
      return (await sqs.receiveMessage({ QueueUrl, ...limits })).Messages ?? [];
    });

  async function drop({ id, receipt }: DeadLetter): Promise<void> {
    await tryTo('delete the message from the dead-letter queue', () =>
      sqs.deleteMessage({ QueueUrl, ReceiptHandle: held.get(id) ?? receipt }),
    );
    held.delete(id);
  }

  return {
    drop,
    /**
     * Receives all messages, ten at a time and each only once. SQS hides them from others for a minute, or until
     * `release`. Ends when the queue is empty, or when SQS sends only messages that came before.
     */
    async *all(): AsyncGenerator<DeadLetter[]> {
      const seen = new Set<string>();
      let pagesWithoutNews = 0;
      while (pagesWithoutNews < MAX_PAGES_WITHOUT_NEWS) {
        const messages = await receive();
        if (messages.length === 0) return;
        const letters: DeadLetter[] = [];
        for (const { MessageId: id = '', ReceiptHandle: receipt = '', Body: text = '' } of messages) {
          held.set(id, receipt);
          // A message becomes visible again after a minute.
          if (!seen.has(id)) letters.push({ id, receipt, text, delivery: readDelivery(text) });
          seen.add(id);
        }
        pagesWithoutNews = letters.length > 0 ? 0 : pagesWithoutNews + 1;
        if (letters.length > 0) yield letters;
      }
      mayHaveMore = true;
    },
    /** Returns whether `all` ended before the queue was empty, so that it may have missed messages. */
    mayHaveMore: () => mayHaveMore,
    /** Sends a message to the parking queue, from which it is received again, and then deletes it here. */
    async replay(letter: DeadLetter): Promise<void> {
      await tryTo('send the message to the parking queue', () =>
        sqs.sendMessage({ QueueUrl: parkingQueueUrl, MessageBody: letter.text }),
      );
      await drop(letter);
    },
    /** Makes the received messages visible to others again. */
    async release(): Promise<void> {
      for (const ReceiptHandle of held.values()) {
        // Ignored: after its minute, a message is visible by itself.
        await sqs.changeMessageVisibility({ QueueUrl, ReceiptHandle, VisibilityTimeout: 0 }).catch(() => {});
      }
      held.clear();
    },
  };
}

function readDelivery(text: string): QueuedDelivery | undefined {
  try {
    const delivery = parseQueuedDelivery(text);
    // Throws for an invalid time, which only a message written by hand has.
    new Date(delivery.receivedTime).toISOString();
    return delivery;
  } catch {
    return undefined;
  }
}
