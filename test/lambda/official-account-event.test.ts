import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import type { DynamoDBRecord } from 'aws-lambda';
import { COMMANDS, PROFILE_ATTRIBUTES, TIMESTAMP_ATTRIBUTES } from '../../lambda/commands/index.ts';
import changedSchema from '../../lambda/commands/official-account-changed.schema.json' with { type: 'json' };
import { officialAccountCreated } from '../../lambda/commands/official-account-created.ts';
import { officialAccountDestroyed } from '../../lambda/commands/official-account-destroyed.ts';
import { officialAccountFull } from '../../lambda/commands/official-account-full.ts';
import officialAccountSchema from '../../lambda/commands/official-account.schema.json' with { type: 'json' };
import {
  eventOfChange,
  imageOf,
  makeEvent,
  UnpublishableError,
  type Item,
} from '../../lambda/official-account-event.ts';
import { COMMON_ATTRIBUTES } from '../account-events.ts';
import { eventProblems } from '../event-problems.ts';

/** A record of the table's stream, as DynamoDB sends it, from `test/stream-records`. */
function streamRecord(name: string): DynamoDBRecord {
  return JSON.parse(readFileSync(join(import.meta.dirname, '../stream-records', `${name}.json`), 'utf8'));
}

const eventOf = ({ dynamodb }: DynamoDBRecord) =>
  eventOfChange(dynamodb!.OldImage as Item | undefined, dynamodb!.NewImage as Item | undefined);

/** Details of the events, as other systems get them. */
function detailsOf(...records: DynamoDBRecord[]) {
  const events = records.flatMap((record) => eventOf(record) ?? []);
  for (const { detailType, detail } of events) expect(detailType).toBe(detail.type);
  return JSON.parse(JSON.stringify(events.map(({ detail }) => detail)));
}

const CREATED = {
  version: 1,
  type: 'Official Account Created',
  sdkAppId: '1400000000',
  officialAccountId: '@TOA#_test_OA_for_penn',
  name: 'TestOfficialAccount',
  ownerAccount: '107867',
  operatorAccount: '107867',
  createdTime: 1670574414123,
  eventTime: 1670574414123,
  receivedTime: 1670574415500,
  clientIp: '203.0.113.7',
  optPlatform: 'RESTAPI',
  revision: 1,
};
/** A record after a change without address and platform. */
const { clientIp: _, optPlatform: __, ...RECORD } = CREATED;

describe('the event', () => {
  test('of a creation contains the record as plain JSON, and meets its schema', () => {
    const details = detailsOf(streamRecord('created'), streamRecord('created-again'));
    const again = { createdTime: 1670574500000, eventTime: 1670574500000, receivedTime: 1670574500900, revision: 2 };
    expect(details).toEqual([CREATED, { ...RECORD, ...again, name: '新闻公众号 🗞️', ownerAccount: '李雷' }]);
    expect(details.map(eventProblems)).toEqual([[], []]);
  });

  test('of a change contains the previous values, and meets its schema', () => {
    const [detail, ...others] = detailsOf(streamRecord('changed'));
    expect(others).toEqual([]);
    expect(detail).toEqual({
      ...RECORD,
      type: 'Official Account Changed',
      name: '新名字 🗞️',
      introduction: '简介',
      operatorAccount: '李雷',
      eventTime: 1670574500000,
      receivedTime: 1670574500900,
      revision: 2,
      previous: { name: 'TestOfficialAccount', introduction: null },
    });
    expect(eventProblems(detail)).toEqual([]);
  });

  test.each([
    ['destroyed', 'Official Account Destroyed', 'destroyedTime', 1670574600000],
    ['full', 'Official Account Full', 'lastFullTime', 1670574550000],
  ])('of a record that is %s has its time, and meets its schema', (name, type, attribute, time) => {
    const details = detailsOf(streamRecord(name));
    expect(details).toEqual([
      { ...RECORD, type, [attribute]: time, eventTime: time, receivedTime: time + 900, revision: 2 },
    ]);
    expect(details.map(eventProblems)).toEqual([[]]);
  });

  test('of a change before its creation has null for all previous values', () => {
    const first = streamRecord('changed');
    delete first.dynamodb!.OldImage;
    delete first.dynamodb!.NewImage!['createdTime'];
    const [detail] = detailsOf(first);
    expect(detail).toMatchObject({ type: 'Official Account Changed', previous: { name: null, introduction: null } });
    expect(eventProblems(detail)).toEqual([]);
  });

  test('is only one for each change, even if a copied record matches several commands', () => {
    const copied = streamRecord('created');
    Object.assign(copied.dynamodb!.NewImage!, {
      destroyedTime: { N: '1670574600000' },
      lastFullTime: { N: '1670574550000' },
    });
    expect(detailsOf(copied).map(({ type }: typeof CREATED) => type)).toEqual(['Official Account Created']);
  });

  test('is absent if no published attribute has changed', () => {
    const late = streamRecord('changed');
    late.dynamodb!.NewImage = {
      ...late.dynamodb!.OldImage,
      operatorAccount: { S: 'leckie' },
      operatorAccountTime: { N: '1670574414124' },
      revision: { N: '2' },
    };
    expect(detailsOf(late)).toEqual([]);
  });

  test('is absent after a manual change or removal', () => {
    expect(detailsOf(streamRecord('changed-by-people'), streamRecord('removed'))).toEqual([]);
  });

  test('does not contain custom attributes of any type', () => {
    const record = streamRecord('created');
    Object.assign(record.dynamodb!.NewImage!, {
      category: { S: 'news' },
      huge: { N: '9'.repeat(38) },
      larger: { N: '1E+100' },
      tags: { SS: ['a'] },
      nothing: { NULL: true },
      constructor: { S: 'a' },
    });
    expect(detailsOf(record)).toEqual([CREATED]);
  });

  test.each<[string, Record<string, unknown>]>([
    ['name is of another type than the JSON Schema says', { name: { N: '1' } }],
    ['name is of another type than the JSON Schema says', { name: { M: { a: { S: 'b' } } } }],
    ['createdTime is of another type than the JSON Schema says', { createdTime: { S: '1' } }],
    ['eventTime is of another type than the JSON Schema says', { eventTime: { N: '1.5' } }],
    ['sdkAppId is missing', { sdkAppId: undefined }],
    ['an attribute is of a type that the SDK does not know', { name: { X: 'a' } }],
  ])('cannot be made if %s', (problem, change) => {
    const record = streamRecord('created');
    const image = Object.entries({ ...record.dynamodb!.NewImage, ...change }).filter(([, value]) => value);
    record.dynamodb!.NewImage = Object.fromEntries(image) as never;
    expect(() => eventOf(record)).toThrow(UnpublishableError);
    expect(() => eventOf(record)).toThrow(problem);
  });

  test('has null for a previous value of another type', () => {
    const record = streamRecord('changed');
    record.dynamodb!.OldImage!['name'] = { N: '1' };
    const [detail] = detailsOf(record);
    expect(detail.previous).toEqual({ name: null, introduction: null });
    expect(eventProblems(detail)).toEqual([]);
  });
});

describe('the event of a current record', () => {
  const record = imageOf(streamRecord('destroyed').dynamodb!.NewImage as Item);

  test.each([
    [officialAccountCreated, 'Official Account Created'],
    [officialAccountDestroyed, 'Official Account Destroyed'],
  ])('has the type of its command, and the whole record', (command, type) => {
    const { detailType, detail } = makeEvent(command, record);
    expect(detailType).toBe(type);
    expect(detail).toEqual({ ...record, version: 1, type });
    expect(eventProblems(detail)).toEqual([]);
  });

  test('cannot be made if the record does not have the time of the command', () => {
    const { createdTime: _, ...incomplete } = record;
    expect(() => makeEvent(officialAccountCreated, incomplete)).toThrow(
      new UnpublishableError('createdTime is missing'),
    );
  });
});

test('a command without an event publishes nothing', () => {
  const { OldImage, NewImage } = streamRecord('full').dynamodb!;
  const images = [OldImage as Item, NewImage as Item] as const;
  const { event: _, ...storeOnly } = officialAccountFull;
  expect(eventOfChange(...images, [officialAccountFull])).toMatchObject({ detailType: 'Official Account Full' });
  expect(eventOfChange(...images, [storeOnly])).toBeUndefined();
});

describe('the JSON Schemas', () => {
  const published = [...COMMANDS.values()].filter(({ event }) => event !== undefined);

  test('have every attribute that a published command sets, and no attribute that is never stored', () => {
    const properties = Object.keys(officialAccountSchema.properties);
    const set = published.flatMap(({ timestampAttribute = [], attributes }) => [
      ...[timestampAttribute].flat(),
      ...Object.keys(attributes),
    ]);
    expect(properties).toEqual(expect.arrayContaining(set));
    const stored = [...COMMON_ATTRIBUTES, ...PROFILE_ATTRIBUTES, ...TIMESTAMP_ATTRIBUTES];
    expect(stored).toEqual(expect.arrayContaining(properties));
  });

  test('have the previous value of every published profile attribute except operatorAccount', () => {
    const profile = new Set(published.flatMap(({ attributes }) => Object.keys(attributes)));
    profile.delete('operatorAccount');
    expect(Object.keys(changedSchema.properties.previous.properties).toSorted()).toEqual([...profile].toSorted());
  });
});

test('the schemas reject events with a wrong, missing or unknown property', () => {
  expect(eventProblems({ ...CREATED, version: 2 })).toEqual(['/version must be equal to constant']);
  expect(eventProblems({ ...CREATED, type: 'Official Account Full' })).toEqual([
    " must have required property 'lastFullTime'",
  ]);
  expect(eventProblems({ ...CREATED, createdTime: '1670574414123' })).toEqual(['/createdTime must be integer']);
  expect(eventProblems({ ...CREATED, name: { S: 'x' } })).toEqual(['/name must be string']);
  expect(eventProblems({ ...CREATED, category: 'news' })).toHaveLength(1);
  const { createdTime: ___, ...timeless } = CREATED;
  expect(eventProblems(timeless)).toEqual([" must have required property 'createdTime'"]);
});
