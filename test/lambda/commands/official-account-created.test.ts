import { describe, expect, test } from '@jest/globals';
import { officialAccountCreated } from '../../../lambda/commands/official-account-created.ts';
import { eventIn } from '../../account-events.ts';
import { delivery, RECEIVED, recorded } from '../../delivery.ts';

const eventOf = (change?: Parameters<typeof delivery>[0]) => eventIn(officialAccountCreated, change);

test('a creation sets every attribute from its field', () => {
  const created = eventOf((event) => {
    event.query.clientIp = '203.0.113.7';
    event.query.optPlatform = 'RESTAPI';
    event.body = recorded('made-up/created-chinese');
  });
  expect(created).toEqual({
    sdkAppId: '1400000000',
    officialAccountId: '@TOA#_xinwen 01',
    timestampAttribute: 'createdTime',
    attributes: { name: '新闻公众号 🗞️', ownerAccount: '李雷', operatorAccount: 'administrator' },
    eventTime: 1670574414123,
    receivedTime: RECEIVED,
    clientIp: '203.0.113.7',
    optPlatform: 'RESTAPI',
  });
});

describe('a creation is rejected for its payload:', () => {
  const keyOf = (bytes: number) => '名'.repeat(Math.floor(bytes / 3)) + 'a'.repeat(bytes % 3);
  const fields = ['Official_Account', 'Operator_Account', 'Owner_Account', 'Name', 'EventTime'];

  test.each(fields)('%s missing', (field) => {
    const { [field]: _, ...payload } = recorded('created');
    expect(() => eventOf((event) => (event.body = payload))).toThrow(
      expect.objectContaining({ reason: 'badPayload', field }),
    );
  });

  test.each(fields)('%s null, an object, an array or a boolean', (field) => {
    for (const value of [null, {}, [], true]) {
      expect(() => eventOf((event) => (event.body = { ...recorded('created'), [field]: value }))).toThrow(
        expect.objectContaining({ reason: 'badPayload', field }),
      );
    }
  });

  test.each<[string, unknown]>([
    ['Official_Account', ''],
    ['Official_Account', 107867],
    ['Official_Account', keyOf(1025)],
    ['Official_Account', 'half a surrogate pair \ud83d'],
    ['Name', 5],
    ['EventTime', 1670574414], // seconds
    ['EventTime', 999_999_999_999],
    ['EventTime', '00000999999999999'],
    ['EventTime', 1670574414123.5],
    ['EventTime', ''],
    ['EventTime', ' 1670574414123'],
    ['EventTime', '1.670574414123e12'],
    ['EventTime', '-1'],
    ['EventTime', '9007199254740993'],
    ['EventTime', '9'.repeat(60_000)],
    ['EventTime', String(RECEIVED + 600_001)],
    ['EventTime', 2 ** 53],
    ['EventTime', Infinity],
    ['EventTime', RECEIVED + 600_001],
  ])('%s = %p', (field, value) => {
    expect(() => eventOf((event) => (event.body = { ...recorded('created'), [field]: value }))).toThrow(
      expect.objectContaining({
        reason: 'badPayload',
        field,
      }),
    );
  });

  test.each([[[]], [null], ['text'], [5]])('the body is %j', (body) => {
    expect(() => eventOf((event) => (event.body = body))).toThrow(expect.objectContaining({ reason: 'badPayload' }));
  });

  test('but not for valid edge cases', () => {
    const edges: [string, unknown][] = [
      ['Official_Account', '#TOA#_ with @ and  spaces '],
      ['Official_Account', keyOf(1024)],
      ['Official_Account', '😀'],
      ['Name', ''],
      ['Name', '名'.repeat(1000)],
      ['Owner_Account', ''],
      ['EventTime', 1_000_000_000_000],
      ['EventTime', '1000000000000'],
      ['EventTime', RECEIVED + 600_000],
      ['Unknown', { deep: [{ deeper: null }] }],
    ];
    for (const [field, value] of edges) {
      expect(() => eventOf((event) => (event.body = { ...recorded('created'), [field]: value }))).not.toThrow();
    }
  });
});

test('half a surrogate pair in a name, which DynamoDB rejects, is replaced', () => {
  expect(eventOf((event) => (event.body = { ...recorded('created'), Name: '新\ud83d' }))).toMatchObject({
    attributes: { name: '新\ufffd' },
  });
});

test('a delivery without an SDKAppID is rejected, even if the earlier checks accept it', () => {
  expect(() => eventOf((event) => delete event.query.sdkAppId)).toThrow(
    expect.objectContaining({ reason: 'wrongApp' }),
  );
});

test.each(['1670574414123', '0001670574414123', '0'.repeat(50_000) + '1670574414123'])(
  'an EventTime may be a string of digits, with or without leading zeros',
  (digits) => {
    expect(eventOf((event) => (event.body = { ...recorded('created'), EventTime: digits }))).toMatchObject({
      eventTime: 1670574414123,
    });
  },
);
