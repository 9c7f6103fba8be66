import { createHash, randomUUID } from 'node:crypto';
import type { SQSEvent, SQSRecord } from 'aws-lambda';
import { Level } from 'level';
import { awsJsonServer, ServiceError } from './aws-json.ts';
import { listen, type Loopback } from './loopback.ts';

export interface QueueSpec {
  name: string;
  visibilitySeconds: number;
  /** Queue to which a message goes after `maxReceiveCount` receipts. */
  deadLetters?: { queueName: string; maxReceiveCount: number };
}

/** Limits of SQS. @see https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html */
const MESSAGE_CHARACTERS = /^[\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]+$/u;
const MAX_MESSAGE_BYTES = 256 * 1024;

interface Message {
  id: string;
  queueName: string;
  body: string;
  sentTime: number;
  receiveCount: number;
  /** The message is hidden until this time. */
  visibleTime: number;
}

export interface Sqs extends Loopback {
  queueUrl(name: string): string;
  /** Returns the bodies of all messages of a queue, also of hidden ones. */
  messages(name: string): string[];
  /** Puts a message into a queue. */
  send(name: string, body: string): Promise<void>;
  /** Deletes all messages of a queue. */
  purge(name: string): Promise<void>;
  /**
   * Invokes a function with the messages of a queue, as Lambda's event source mapping does. Messages that the function
   * returns as failed stay in the queue, and all of them if it throws. They become visible again after their timeout.
   *
   * @returns A function that ends the polling.
   */
  poll(name: string, batchSize: number, invoke: (event: SQSEvent) => Promise<unknown>): () => void;
}

/**
 * Starts a local SQS with the operations that the functions and the commands call.
 *
 * @param secondMs Duration of a second of the queues' clock, because developers do not wait for pauses of minutes. Only
 * the VisibilityTimeout of ReceiveMessage counts real seconds, because people look at the messages in the meantime.
 * @param directory Folder for the messages, created if it is missing. Without it, they are in memory.
 * @see https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/Welcome.html
 */
export async function startSqs(specs: readonly QueueSpec[], secondMs: number, directory?: string): Promise<Sqs> {
  const disk = directory === undefined ? undefined : new Level<string, Message>(directory, { valueEncoding: 'json' });
  await disk?.open(); // without it, reading fails with an error that does not contain the reason
  const storedMessages = disk === undefined ? [] : await disk.values().all();
  const queues = new Map(
    specs.map((spec) => {
      const messages = storedMessages.filter(({ queueName }) => queueName === spec.name);
      return [spec.name, { ...spec, messages: messages.toSorted((a, b) => a.sentTime - b.sentTime) }];
    }),
  );
  /** Batches that a function is processing. */
  const batches = new Set<Promise<void>>();

  function queue(name: string) {
    const found = queues.get(name);
    if (found === undefined) throw new ServiceError('com.amazonaws.sqs#QueueDoesNotExist', `there is no queue ${name}`);
    return found;
  }

  /** Writes to the disk first, because an accepted message must survive a failure of the machine. */
  async function send(queueName: string, body: string): Promise<Message> {
    const { messages } = queue(queueName);
    const message = { id: randomUUID(), queueName, body, sentTime: Date.now(), receiveCount: 0, visibleTime: 0 };
    await disk?.put(message.id, message, { sync: true });
    messages.push(message);
    return message;
  }

  async function receive(name: string, count: number, hiddenMs?: number): Promise<Message[]> {
    const { messages, visibilitySeconds, deadLetters } = queue(name);
    const received: Message[] = [];
    for (const message of messages.filter(({ visibleTime }) => visibleTime <= Date.now())) {
      const isDead = deadLetters !== undefined && message.receiveCount >= deadLetters.maxReceiveCount;
      if (!isDead && received.length >= count) continue;
      if (!messages.includes(message)) continue; // it was deleted while another message was being written
      if (isDead) {
        const dead = { ...message, queueName: deadLetters.queueName, visibleTime: 0 };
        await disk?.put(dead.id, dead, { sync: true });
        forget(message);
        queue(dead.queueName).messages.push(dead);
      } else {
        message.receiveCount += 1;
        message.visibleTime = Date.now() + (hiddenMs ?? visibilitySeconds * secondMs);
        await disk?.put(message.id, message);
        received.push(message);
      }
    }
    return received;
  }

  async function remove(message: Message): Promise<void> {
    forget(message);
    await disk?.del(message.id);
  }

  function forget({ queueName, id }: Message): void {
    const { messages } = queue(queueName);
    const index = messages.findIndex((message) => message.id === id);
    if (index !== -1) messages.splice(index, 1);
  }

  const messageOf = (queueUrl: string | undefined, receiptHandle: string | undefined) =>
    queue(nameIn(queueUrl)).messages.find(({ id }) => id === receiptHandle);

  const nameIn = (queueUrl = '') => queueUrl.split('/').at(-1) ?? '';
  const server = awsJsonServer({
    'AmazonSQS.SendMessage': async ({ QueueUrl, MessageBody = '' }) => {
      if (!MESSAGE_CHARACTERS.test(MessageBody) || Buffer.byteLength(MessageBody) > MAX_MESSAGE_BYTES) {
        throw new ServiceError('com.amazonaws.sqs#InvalidMessageContents', 'a character or the size is not allowed');
      }
      const { id } = await send(nameIn(QueueUrl), MessageBody);
      return { MessageId: id, MD5OfMessageBody: md5(MessageBody) };
    },
    'AmazonSQS.ChangeMessageVisibility': async ({ QueueUrl, ReceiptHandle, VisibilityTimeout }) => {
      const message = messageOf(QueueUrl, ReceiptHandle);
      if (message === undefined) return {};
      message.visibleTime = Date.now() + Number(VisibilityTimeout) * secondMs;
      await disk?.put(message.id, message);
      return {};
    },
    'AmazonSQS.ReceiveMessage': async ({ QueueUrl, MaxNumberOfMessages = '1', VisibilityTimeout }) => {
      const hiddenMs = VisibilityTimeout === undefined ? undefined : Number(VisibilityTimeout) * 1_000;
      const received = await receive(nameIn(QueueUrl), Number(MaxNumberOfMessages), hiddenMs);
      return { Messages: received.map((message) => toMessage(toRecord(message, nameIn(QueueUrl)))) };
    },
    'AmazonSQS.DeleteMessage': async ({ QueueUrl, ReceiptHandle }) => {
      const message = messageOf(QueueUrl, ReceiptHandle);
      if (message !== undefined) await remove(message);
      return {};
    },
  });

  const loopback = await listen(server, 0);
  return {
    url: loopback.url,
    async close() {
      await Promise.all(batches);
      await loopback.close();
      await disk?.close();
    },
    queueUrl: (name) => `${loopback.url}/000000000000/${queue(name).name}`,
    messages: (name) => queue(name).messages.map(({ body }) => body),
    send: async (name, body) => void (await send(name, body)),
    purge: async (name) => void (await Promise.all(queue(name).messages.slice().map(remove))),
    poll(name, batchSize, invoke) {
      const work = async () => {
        const messages = await receive(name, batchSize);
        if (messages.length === 0) return;
        const answer = await invoke({ Records: messages.map((message) => toRecord(message, name)) });
        const { batchItemFailures = [] } = answer as { batchItemFailures?: { itemIdentifier: string }[] };
        const failed = new Set(batchItemFailures.map(({ itemIdentifier }) => itemIdentifier));
        await Promise.all(messages.filter(({ id }) => !failed.has(id)).map(remove));
      };
      let batch: Promise<void> | undefined;
      const timer = setInterval(() => {
        if (batch !== undefined) return;
        const working = work()
          .catch(() => {}) // the function's log has the error, and its messages stay in the queue
          .finally(() => {
            batches.delete(working);
            batch = undefined;
          });
        batches.add(working);
        batch = working;
      }, secondMs / 10);
      return () => clearInterval(timer);
    },
  };
}

function toRecord({ id, body, sentTime, receiveCount }: Message, name: string): SQSRecord {
  return {
    messageId: id,
    receiptHandle: id,
    body,
    attributes: {
      ApproximateReceiveCount: String(receiveCount),
      SentTimestamp: String(sentTime),
      SenderId: 'local',
      ApproximateFirstReceiveTimestamp: String(sentTime),
    },
    messageAttributes: {},
    md5OfBody: md5(body),
    eventSource: 'aws:sqs',
    eventSourceARN: `arn:aws:sqs:us-east-1:000000000000:${name}`,
    awsRegion: 'us-east-1',
  };
}

/** Converts a record of a Lambda event to a message of ReceiveMessage. */
function toMessage({ messageId, receiptHandle, body, md5OfBody, attributes }: SQSRecord) {
  return {
    MessageId: messageId,
    ReceiptHandle: receiptHandle,
    Body: body,
    MD5OfBody: md5OfBody,
    Attributes: attributes,
  };
}

function md5(text: string): string {
  return createHash('md5').update(text).digest('hex');
}
