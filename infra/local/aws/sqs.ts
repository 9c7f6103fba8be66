import { createHash, randomUUID } from 'node:crypto';
import type { SQSEvent, SQSRecord } from 'aws-lambda';
import { awsJsonServer, ServiceError } from './aws-json.ts';
import { listen, type Loopback } from './loopback.ts';

export interface QueueSpec {
  name: string;
  visibilitySeconds: number;
  /** Where a message goes after so many receipts. */
  deadLetters?: { queueName: string; maxReceiveCount: number };
}

/** What SQS takes. @see https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html */
const MESSAGE_CHARACTERS = /^[\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]+$/u;
const MAX_MESSAGE_BYTES = 256 * 1024;

interface Message {
  id: string;
  body: string;
  sentTime: number;
  receiveCount: number;
  /** Hidden until then. */
  visibleTime: number;
}

export interface Sqs extends Loopback {
  queueUrl(name: string): string;
  /** The bodies of all messages of a queue, hidden ones included. */
  messages(name: string): string[];
  /** Puts a message into a queue, as anybody with the rights could. */
  send(name: string, body: string): void;
  /** Takes all messages out of a queue. */
  purge(name: string): void;
  /**
   * Invokes a function with the messages of a queue, as Lambda's event source mapping does: those that the function
   * names as failed, or all where it throws, stay and are visible again when their time is over.
   */
  poll(name: string, batchSize: number, invoke: (event: SQSEvent) => Promise<unknown>): void;
}

/**
 * The SQS calls that the functions make, answered on this machine from memory.
 *
 * @param secondMs how long a second of the queues' clock takes. Pauses of minutes would try a developer's patience.
 * @see https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/Welcome.html
 */
export async function startSqs(specs: readonly QueueSpec[], secondMs: number): Promise<Sqs> {
  const queues = new Map(specs.map((spec) => [spec.name, { ...spec, messages: [] as Message[] }]));
  const polls = new Set<NodeJS.Timeout>();

  function queue(name: string) {
    const found = queues.get(name);
    if (found === undefined) throw new ServiceError('com.amazonaws.sqs#QueueDoesNotExist', `there is no queue ${name}`);
    return found;
  }

  function send(name: string, body: string): Message {
    const message = { id: randomUUID(), body, sentTime: Date.now(), receiveCount: 0, visibleTime: 0 };
    queue(name).messages.push(message);
    return message;
  }

  function receive(name: string, count: number, hiddenSeconds?: number): Message[] {
    const { messages, visibilitySeconds, deadLetters } = queue(name);
    const received: Message[] = [];
    for (const message of messages.filter(({ visibleTime }) => visibleTime <= Date.now())) {
      if (deadLetters !== undefined && message.receiveCount >= deadLetters.maxReceiveCount) {
        remove(name, message.id);
        queue(deadLetters.queueName).messages.push({ ...message, visibleTime: 0 });
      } else if (received.length < count) {
        message.receiveCount += 1;
        message.visibleTime = Date.now() + (hiddenSeconds ?? visibilitySeconds) * secondMs;
        received.push(message);
      }
    }
    return received;
  }

  function remove(name: string, id: string): void {
    const { messages } = queue(name);
    const index = messages.findIndex((message) => message.id === id);
    if (index !== -1) messages.splice(index, 1);
  }

  const nameIn = (queueUrl = '') => queueUrl.split('/').at(-1) ?? '';
  const server = awsJsonServer({
    'AmazonSQS.SendMessage': ({ QueueUrl, MessageBody = '' }) => {
      if (!MESSAGE_CHARACTERS.test(MessageBody) || Buffer.byteLength(MessageBody) > MAX_MESSAGE_BYTES) {
        throw new ServiceError('com.amazonaws.sqs#InvalidMessageContents', 'a character or the size is not allowed');
      }
      const { id } = send(nameIn(QueueUrl), MessageBody);
      return { MessageId: id, MD5OfMessageBody: md5(MessageBody) };
    },
    'AmazonSQS.ChangeMessageVisibility': ({ QueueUrl, ReceiptHandle, VisibilityTimeout }) => {
      const message = queue(nameIn(QueueUrl)).messages.find(({ id }) => id === ReceiptHandle);
      if (message !== undefined) message.visibleTime = Date.now() + Number(VisibilityTimeout) * secondMs;
      return {};
    },
    'AmazonSQS.ReceiveMessage': ({ QueueUrl, MaxNumberOfMessages = '1', VisibilityTimeout }) => {
      const hiddenSeconds = VisibilityTimeout === undefined ? undefined : Number(VisibilityTimeout);
      const received = receive(nameIn(QueueUrl), Number(MaxNumberOfMessages), hiddenSeconds);
      return { Messages: received.map((message) => toMessage(toRecord(message, nameIn(QueueUrl)))) };
    },
    'AmazonSQS.DeleteMessage': ({ QueueUrl, ReceiptHandle = '' }) => {
      remove(nameIn(QueueUrl), ReceiptHandle);
      return {};
    },
  });

  const loopback = await listen(server, 0);
  return {
    url: loopback.url,
    async close() {
      for (const timer of polls) clearInterval(timer);
      await loopback.close();
    },
    queueUrl: (name) => `${loopback.url}/000000000000/${queue(name).name}`,
    messages: (name) => queue(name).messages.map(({ body }) => body),
    send,
    purge: (name) => void queue(name).messages.splice(0),
    poll(name, batchSize, invoke) {
      let isBusy = false;
      const timer = setInterval(async () => {
        const batch = isBusy ? [] : receive(name, batchSize);
        if (batch.length === 0) return;
        isBusy = true;
        try {
          const answer = await invoke({ Records: batch.map((message) => toRecord(message, name)) });
          const { batchItemFailures = [] } = answer as { batchItemFailures?: { itemIdentifier: string }[] };
          const failed = new Set(batchItemFailures.map(({ itemIdentifier }) => itemIdentifier));
          for (const { id } of batch) if (!failed.has(id)) remove(name, id);
        } catch {
          // The function's log says why; its messages stay.
        } finally {
          isBusy = false;
        }
      }, secondMs / 10);
      polls.add(timer);
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

/** The same message, as ReceiveMessage names its parts. */
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
