import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { mergeEvent, mergeNewestEvent, type AccountEvent, type AccountRecord } from '../../lambda/official-account.ts';
import { arrivals, modelOf, visible } from '../account-events.ts';

const RUNS = Number(process.env['ACCOUNT_EVENT_RUNS'] ?? 1_000);

/** A record after changes to it. */
function changed(record: AccountRecord, changes: AccountRecord): AccountRecord {
  const entries = Object.entries({ ...record, ...changes });
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined));
}

/** A record after events, in the order of their arrival. */
function recordAfter(events: readonly AccountEvent[]): AccountRecord {
  let record: AccountRecord = {};
  for (const event of events) {
    const { sdkAppId, officialAccountId } = event;
    record = { sdkAppId, officialAccountId, ...changed(record, mergeEvent(event, record)) };
  }
  return record;
}

test('the record depends only on the times of the events, in any order of arrival and with repeats', () => {
  fc.assert(
    fc.property(arrivals, (events) => expect(visible(recordAfter(events))).toEqual(modelOf(events))),
    { numRuns: RUNS },
  );
});

test('a repeated event changes nothing', () => {
  fc.assert(
    fc.property(arrivals, (events) => {
      const record = recordAfter(events);
      for (const event of events) expect(mergeEvent(event, record)).toEqual({});
    }),
    { numRuns: RUNS },
  );
});

test('for the newest event, the merge without the record gives the same result as the merge with it', () => {
  fc.assert(
    fc.property(arrivals, (events) => {
      const record = recordAfter(events);
      for (const event of events.map((each) => ({ ...each, eventTime: each.eventTime + 8 }))) {
        expect(changed(record, mergeNewestEvent(event))).toEqual(changed(record, mergeEvent(event, record)));
      }
    }),
    { numRuns: RUNS },
  );
});

describe('for example:', () => {
  const event = (eventTime: number, rest: Pick<AccountEvent, 'timestampAttribute' | 'attributes'>): AccountEvent => ({
    sdkAppId: '1400000000',
    officialAccountId: 'a',
    eventTime,
    receivedTime: eventTime + 100,
    clientIp: undefined,
    optPlatform: undefined,
    ...rest,
  });
  const created = (time: number, name = 'created') =>
    event(time, {
      timestampAttribute: 'createdTime',
      attributes: { name, ownerAccount: 'owner', operatorAccount: 'operator' },
    });
  const changedTo = (time: number, attributes: AccountEvent['attributes']) => event(time, { attributes });
  const destroyed = (time: number) => event(time, { timestampAttribute: 'destroyedTime', attributes: {} });
  const full = (time: number) => event(time, { timestampAttribute: 'lastFullTime', attributes: {} });

  test('an older name never replaces a newer name, but other attributes of the older event are stored', () => {
    expect(
      recordAfter([created(1), changedTo(3, { name: '新' }), changedTo(2, { name: '旧', faceUrl: 'f' })]),
    ).toMatchObject({
      name: '新',
      faceUrl: 'f',
      eventTime: 3,
    });
  });

  test('an empty field clears its attribute, and an absent field leaves it unchanged', () => {
    expect(
      recordAfter([created(1), changedTo(2, { introduction: 'x', faceUrl: 'y' }), changedTo(3, { introduction: '' })]),
    ).toMatchObject({ introduction: '', faceUrl: 'y' });
  });

  test('the README’s example: created, renamed and destroyed, in the opposite order of arrival', () => {
    const end = event(3, { timestampAttribute: 'destroyedTime', attributes: { name: 'B', ownerAccount: 'owner' } });
    const renamed = changedTo(2, { name: 'B', operatorAccount: 'leckie' });
    const shown = [[end], [end, renamed], [end, renamed, created(1, 'A')]].map((events) => {
      const { name, nameTime, createdTime, destroyedTime, eventTime } = recordAfter(events);
      return [name, nameTime, createdTime, destroyedTime, eventTime];
    });
    expect(shown).toEqual([
      ['B', 3, undefined, 3, 3],
      ['B', 3, undefined, 3, 3],
      ['B', 3, 1, 3, 3],
    ]);
  });

  test('a later creation starts a new account, and removes all older values', () => {
    const old = [created(1), changedTo(2, { introduction: 'x' }), full(3), destroyed(4)];
    const again = { ...created(5, '再'), clientIp: '203.0.113.7' };
    for (const events of [
      [...old, again],
      [again, ...old],
      [...old.slice(2), again, ...old.slice(0, 2)],
    ]) {
      expect(visible(recordAfter(events))).toEqual({
        sdkAppId: '1400000000',
        officialAccountId: 'a',
        name: '再',
        ownerAccount: 'owner',
        operatorAccount: 'operator',
        createdTime: 5,
        eventTime: 5,
        clientIp: '203.0.113.7',
      });
    }
  });

  test('with the same time, a creation is older than other events, and the greater of two values wins', () => {
    for (const events of [
      [created(1, 'z'), changedTo(1, { name: 'a' }), changedTo(1, { name: 'b' }), destroyed(1)],
      [destroyed(1), changedTo(1, { name: 'b' }), created(1, 'z'), changedTo(1, { name: 'a' })],
    ]) {
      expect(recordAfter(events)).toMatchObject({ name: 'b', createdTime: 1, destroyedTime: 1 });
    }
  });
});
