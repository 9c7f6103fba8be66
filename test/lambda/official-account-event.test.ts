import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import type { DynamoDBRecord } from 'aws-lambda';
import { handler } from '../../lambda/announce.ts';
import { eventProblems } from '../event-problems.ts';

/** A record of the table's stream, as DynamoDB sends it, recorded in `test/stream-records`. */
function streamRecord(name: string): DynamoDBRecord {
  return JSON.parse(readFileSync(join(import.meta.dirname, '../stream-records', `${name}.json`), 'utf8'));
}

/** As the pipe gets it. */
const announced = async (...records: DynamoDBRecord[]) => JSON.parse(JSON.stringify(await handler(records)));

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
const CREATED_AGAIN = {
  version: 1,
  type: 'Official Account Created',
  sdkAppId: '1400000000',
  officialAccountId: '@TOA#_test_OA_for_penn',
  name: '新闻公众号 🗞️',
  ownerAccount: '李雷',
  operatorAccount: '107867',
  createdTime: 1670574500000,
  eventTime: 1670574500000,
  receivedTime: 1670574500900,
  revision: 2,
};

describe('the announcement', () => {
  test('of a created record is the record in plain JSON, and meets its schema', async () => {
    const details = await announced(streamRecord('created'), streamRecord('created-again'));
    expect(details).toEqual([CREATED, CREATED_AGAIN]);
    expect(details.map(eventProblems)).toEqual([[], []]);
  });

  const { clientIp: _, optPlatform: __, ...record } = CREATED;

  test('of a changed record says what it was before, and meets its schema', async () => {
    const [detail, ...others] = await announced(streamRecord('changed'));
    expect(others).toEqual([]);
    expect(detail).toEqual({
      ...record,
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
  ])('of a record that is %s says so, and meets its schema', async (name, type, attribute, time) => {
    const details = await announced(streamRecord(name));
    expect(details).toEqual([
      { ...record, type, [attribute]: time, eventTime: time, receivedTime: time + 900, revision: 2 },
    ]);
    expect(details.map(eventProblems)).toEqual([[]]);
  });

  test('is made of a change whose creation has not been seen, with nothing before', async () => {
    const first = streamRecord('changed');
    delete first.dynamodb!.OldImage;
    delete first.dynamodb!.NewImage!['createdTime'];
    const [detail] = await announced(first);
    expect(detail).toMatchObject({ type: 'Official Account Changed', previous: { name: null, introduction: null } });
    expect(eventProblems(detail)).toEqual([]);
  });

  test('is one at most for each change, or the pipe would send none: also where people copy records in', async () => {
    const copied = streamRecord('created');
    Object.assign(copied.dynamodb!.NewImage!, {
      destroyedTime: { N: '1670574600000' },
      lastFullTime: { N: '1670574550000' },
    });
    const details = await announced(...Array.from({ length: 10 }, () => copied));
    expect(details.map(({ type }: typeof CREATED) => type)).toEqual(Array(10).fill('Official Account Created'));
  });

  test('is not made where an event brought nothing that shows', async () => {
    const late = streamRecord('changed');
    late.dynamodb!.NewImage = {
      ...late.dynamodb!.OldImage,
      operatorAccount: { S: 'leckie' },
      operatorAccountTime: { N: '1670574414124' },
      revision: { N: '2' },
    };
    expect(await announced(late)).toEqual([]);
  });

  test.each([
    '新闻公众号',
    '"quoted"',
    '\\back\\slash\\',
    'two\nlines\r\n',
    '\u2028\u2029',
    '<$.name>',
    '',
    '\u0000',
    '😀',
  ])('keeps the name %j as it is', async (name) => {
    const record = streamRecord('created');
    record.dynamodb!.NewImage!['name'] = { S: name };
    const [detail] = await announced(record);
    expect(detail.name).toBe(name);
    expect(eventProblems(detail)).toEqual([]);
  });

  test('is not made of what people change or remove', async () => {
    expect(await announced(streamRecord('changed-by-people'), streamRecord('removed'))).toEqual([]);
  });

  test('leaves out what people have added to a record, whatever it is', async () => {
    const record = streamRecord('created');
    Object.assign(record.dynamodb!.NewImage!, {
      category: { S: 'news' },
      huge: { N: '9'.repeat(38) },
      larger: { N: '1E+100' },
      tags: { SS: ['a'] },
      nothing: { NULL: true },
    });
    expect(await announced(record)).toEqual([CREATED]);
  });

  test('stands in the order of the changes', async () => {
    const [created, changed] = [streamRecord('created'), streamRecord('created-again')];
    const times = (await announced(created, changed, created)).map(({ eventTime }: typeof CREATED) => eventTime);
    expect(times).toEqual([1670574414123, 1670574500000, 1670574414123]);
  });
});

test('the schema finds fault with what is not an announcement', () => {
  expect(eventProblems({ ...CREATED, version: 2 })).toEqual(['/version must be equal to constant']);
  expect(eventProblems({ ...CREATED, type: 'Official Account Full' })).toEqual([
    " must have required property 'lastFullTime'",
  ]);
  expect(eventProblems({ ...CREATED, createdTime: '1670574414123' })).toEqual(['/createdTime must be integer']);
  expect(eventProblems({ ...CREATED, name: { S: 'x' } })).toEqual(['/name must be string']);
  expect(eventProblems({ ...CREATED, category: 'news' })).toHaveLength(1);
  const { createdTime: _, ...timeless } = CREATED;
  expect(eventProblems(timeless)).toEqual([" must have required property 'createdTime'"]);
});
