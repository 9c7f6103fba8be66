import { beforeEach, describe, expect, jest, test } from '@jest/globals';
import type {
  EventBridgeClient,
  PutEventsCommand,
  PutEventsRequestEntry,
  PutEventsResultEntry,
} from '@aws-sdk/client-eventbridge';
import { putEvents, type BusEvent, type PutResult } from '../../lambda/event-bus.ts';

const eventOf = (bytes: number, n = 0): BusEvent => {
  const event = (text: string) => ({ detailType: 'Official Account Created', detail: { n, text } });
  // The size of an entry is the size of its source, detail type and detail.
  const rest = `tencent.chat.official-accounts${event('').detailType}${JSON.stringify(event('').detail)}`.length;
  return event('x'.repeat(bytes - rest));
};
const events = (count: number) => Array.from({ length: count }, (_, n) => eventOf(100, n));
const PUBLISHED: PutResult = { outcome: 'published' };
const times = <T>(count: number, value: T): T[] => Array.from({ length: count }, () => value);
const numbers = (calls: PutEventsRequestEntry[][]) =>
  calls.map((entries) => entries.map(({ Detail = '' }) => JSON.parse(Detail).n));

type Answer = (entries: PutEventsRequestEntry[]) => unknown;

const calls: PutEventsRequestEntry[][] = [];
/** Answers of the next calls. Further calls publish every entry. */
let answers: Answer[] = [];
const succeed: Answer = (entries) => ({
  FailedEntryCount: 0,
  Entries: entries.map((_, n) => ({ EventId: String(n) })),
});
const client = {
  async send({ input: { Entries = [] } }: PutEventsCommand) {
    calls.push(Entries);
    return (answers.shift() ?? succeed)(Entries);
  },
} as unknown as EventBridgeClient;
beforeEach(() => {
  calls.length = 0;
  answers = [];
});

/** An answer with an error for one entry. The other entries are published. */
const failing =
  (index: number, result: PutEventsResultEntry): Answer =>
  (entries) => ({
    FailedEntryCount: 1,
    Entries: entries.map((_entry, n) => (n === index ? result : { EventId: String(n) })),
  });

describe('events', () => {
  test('are published in order, ten per call, with the source that the rules of other systems match', async () => {
    expect(await putEvents(client, 'bus', events(25))).toEqual(times(25, PUBLISHED));
    expect(calls.map(({ length }) => length)).toEqual([10, 10, 5]);
    const expected = events(25).map(({ detailType, detail }) => ({
      EventBusName: 'bus',
      Source: 'tencent.chat.official-accounts',
      DetailType: detailType,
      Detail: JSON.stringify(detail),
    }));
    expect(calls.flat()).toEqual(expected);
  });

  test('cause no call if the list is empty', async () => {
    expect(await putEvents(client, 'bus', [])).toEqual([]);
    expect(calls).toEqual([]);
  });

  test('of more than 256 KB together are divided into smaller calls', async () => {
    const sizes = [200_000, 62_143, 1_000, 262_143, 100, 100];
    const results = await putEvents(
      client,
      'bus',
      sizes.map((bytes, n) => eventOf(bytes, n)),
    );
    expect(results).toEqual(times(6, PUBLISHED));
    expect(numbers(calls)).toEqual([[0, 1], [2], [3], [4, 5]]);
  });

  test.each<[string, BusEvent]>([
    ['256 KB', eventOf(262_144)],
    ['256 KB, in characters of three bytes', { detailType: 'A', detail: { text: '新'.repeat(87_400) } }],
  ])('of %s fail permanently without a call, and do not block others', async (_size, large) => {
    const results = await putEvents(client, 'bus', [eventOf(100, 1), large, eventOf(100, 2)]);
    expect(results).toEqual([PUBLISHED, { outcome: 'unpublishable', reason: 'TooLarge' }, PUBLISHED]);
    expect(numbers(calls)).toEqual([[1, 2]]);
  });
});

describe('an entry that is not published', () => {
  test.each(['MalformedDetail', 'InvalidArgument'])(
    'because of %s fails permanently and is not repeated; the others are published',
    async (ErrorCode) => {
      answers = [failing(3, { ErrorCode })];
      const results = await putEvents(client, 'bus', events(11));
      expect(results[3]).toEqual({ outcome: 'unpublishable', reason: ErrorCode });
      expect(results.toSpliced(3, 1)).toEqual(times(10, PUBLISHED));
      expect(calls.map(({ length }) => length)).toEqual([10, 1]);
    },
  );

  test.each(['InternalFailure', 'ThrottlingException', 'AccessDeniedException', 'AnUnknownError'])(
    'because of %s is repeated alone, and is published',
    async (ErrorCode) => {
      answers = [failing(3, { ErrorCode }), failing(0, { ErrorCode })];
      expect(await putEvents(client, 'bus', events(11))).toEqual(times(11, PUBLISHED));
      expect(numbers(calls)).toEqual([[0, 1, 2, 3, 4, 5, 6, 7, 8, 9], [3], [3], [10]]);
    },
  );

  test('in three attempts is failed, and so are the entries after its call', async () => {
    answers = [3, 0, 0].map((index) => failing(index, { ErrorCode: 'ThrottlingException' }));
    const results = await putEvents(client, 'bus', events(12));
    expect(results.slice(0, 10)).toEqual(
      times<PutResult>(10, PUBLISHED).with(3, { outcome: 'failed', reason: 'ThrottlingException' }),
    );
    expect(results.slice(10)).toEqual(times(2, { outcome: 'failed', reason: 'NotTried' }));
    expect(calls).toHaveLength(3);
  });
});

describe('a call that fails', () => {
  const fail =
    (error: object): Answer =>
    () => {
      throw Object.assign(new Error('failed'), error);
    };

  test.each<[string, Answer, string]>([
    ['with an error', fail({ name: 'ThrottlingException' }), 'ThrottlingException'],
    ['because there is no connection', fail({ code: 'ECONNREFUSED' }), 'ECONNREFUSED'],
    ['without results', () => ({}), 'NoEventId'],
    ['with a string instead of results', () => ({ FailedEntryCount: 0, Entries: 'garbage' }), 'NoEventId'],
    ['with empty results', () => ({ Entries: [null, {}] }), 'NoEventId'],
  ])('%s is repeated, because an event without an ID does not count as published', async (_how, answer, reason) => {
    answers = [answer];
    expect(await putEvents(client, 'bus', events(2))).toEqual([PUBLISHED, PUBLISHED]);
    expect(numbers(calls)).toEqual([
      [0, 1],
      [0, 1],
    ]);
    answers = [answer, answer, answer];
    expect(await putEvents(client, 'bus', events(2))).toEqual(times(2, { outcome: 'failed', reason }));
  });

  test('is the last one if the time is over', async () => {
    const now = performance.now.bind(performance);
    let late = 0;
    const clock = jest.spyOn(performance, 'now').mockImplementation(() => now() + late);
    answers = [
      (entries) => {
        late = 20_000;
        return failing(0, { ErrorCode: 'InternalFailure' })(entries);
      },
    ];
    const results = await putEvents(client, 'bus', events(11));
    clock.mockRestore();
    expect(results.map(({ outcome }) => outcome)).toEqual(['failed', ...Array(9).fill('published'), 'failed']);
    expect(calls).toHaveLength(1);
  });
});
