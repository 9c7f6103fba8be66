import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { Browser } from 'playwright-core';
import type { Deployment } from '../../infra/local/deployment.ts';
import { DOCUMENTED_SAMPLES } from '../../infra/local/chat.ts';
import { CREATED, httpDelivery, post, sign, signed, type HttpDelivery } from '../delivery.ts';
import { startSlowDeployment } from '../deployment.ts';
import { FaultyDynamoDb } from '../faulty.ts';
import { logKeeper } from '../function-log.ts';
import { answer, OK_ANSWER, startRawBackend, type RawBackend } from '../raw-backend.ts';
import { recordOf } from '../records.ts';
import { ROOT } from '../program.ts';
import { TIME_SCALE } from '../time.ts';
import { until } from '../until.ts';
import { startChromium } from './chromium.ts';
import { newest, openInspector, selectedId, type Inspector } from './inspector-page.ts';

const CHANGED = 'OfficialAccount.CallbackAfterOfficialAccountInfoChanged';
const store = new FaultyDynamoDb();
let backend: RawBackend;
let deployment: Deployment;
let browser: Browser;
let inspector: Inspector;
beforeAll(async () => {
  backend = await startRawBackend();
  const context = { forwardUrl: `${backend.url}/hook` };
  deployment = await startSlowDeployment({ context, startStore: store.start, log: logKeeper().stream });
  browser = await startChromium();
});
afterAll(async () => {
  await browser?.close();
  await deployment?.stop();
  await backend?.close();
});
beforeEach(async () => {
  inspector = await openInspector(browser, deployment.inspectorUrl);
});
afterEach(async () => {
  expect(inspector.errors).toEqual([]);
  await inspector.close();
});

let accounts = 0;
/** Posts a delivery about an official account of its own. */
async function deliver(change: (delivery: HttpDelivery) => void = () => {}, id = `@TOA#_${(accounts += 1)}_`) {
  const delivery = httpDelivery(({ payload }) => Object.assign(payload, { Official_Account: id }));
  change(delivery);
  return { id, reply: await post(deployment.url, delivery) };
}

test('a delivery shows within a second, without a reload', async () => {
  await inspector.rows.first().or(inspector.page.getByText('No delivery.')).waitFor();
  const { id } = await deliver();
  const start = performance.now();
  await inspector.row(id).filter({ hasText: 'stored' }).waitFor();
  expect(performance.now() - start).toBeLessThan(1_000 * TIME_SCALE);
});

test('what came before the page was opened is there, on two pages at once', async () => {
  const { id } = await deliver();
  const other = await openInspector(browser, deployment.inspectorUrl);
  await other.row(id).waitFor();
  await inspector.row(id).waitFor();
  const { id: next } = await deliver();
  await Promise.all([other.row(next).waitFor(), inspector.row(next).waitFor()]);
  await other.close();
});

describe('a rejected delivery', () => {
  test('has its reason and what the check compares, but not the expected signature', async () => {
    const time = Math.floor(Date.now() / 1000);
    const { id } = await deliver(({ query }) => query.set('Sign', signed(time, 'another token').Sign));
    await inspector.row(id).filter({ hasText: 'badSignature' }).click();
    const text = await inspector.section('Rejected: badSignature').innerText();
    expect(text).toContain(signed(time, 'another token').Sign);
    expect(text).toContain('SHA-256');
    expect(await inspector.page.content()).not.toContain(signed(time).Sign);
  });

  test.each<[string, string, (delivery: HttpDelivery) => void]>([
    ['wrongApp', '1400000001', ({ query }) => query.set('SdkAppid', '1400000001')],
    ['expired', 'as local time', ({ query }) => sign(query, -70)],
    ['badBody', 'not UTF-8', (delivery) => (delivery.body = Buffer.from('{"a":"\xff"}', 'latin1'))],
    ['commandsDisagree', CHANGED, ({ payload }) => (payload['CallbackCommand'] = CHANGED)],
    ['badPayload', 'Name in the body', ({ payload }) => delete payload['Name']],
  ])('says what is wrong: %s', async (reason, text, change) => {
    await deliver(change);
    await inspector.row(reason).first().click();
    expect(await inspector.section(`Rejected: ${reason}`).innerText()).toContain(text);
  });

  test('is stored after an edit, which signs it anew', async () => {
    const { id } = await deliver(({ query }) => sign(query, -3_600));
    await inspector.row(id).click();
    await inspector.page.getByText('The Sign has expired').waitFor();
    const expired = selectedId(inspector.page);
    await inspector.button('Replay').click();
    await until(() => selectedId(inspector.page) !== expired || undefined);
    await inspector.section('Rejected: expired').waitFor();

    await inspector.button('Edit and replay').click();
    const body = inspector.page.getByRole('dialog').getByLabel('Body');
    await body.fill('{"Official_Account":');
    await inspector.page.getByText('Not JSON').waitFor();
    await body.fill(
      `{"Official_Account":"${id}edited","CallbackCommand":"${CREATED}","Operator_Account":"a",` +
        '"Owner_Account":"a","Name":"新的","EventTime":1670574414123}',
    );
    await body.blur();
    await until(async () => (await body.inputValue()).includes('\n  "Name": "新的",\n')); // formatted with the next frame
    await inspector.button('Send').click();
    await inspector.page.locator('article').getByText(`${id}edited`).first().waitFor();
    await inspector.page.locator('article [data-outcome="stored"]').waitFor();
    const record = await recordOf(store.serviceUrl, deployment.spec.tableName, `${id}edited`);
    expect(record).toMatchObject({ name: '新的' });
  });
});

test('a replay posts the same query, body and headers, and its result is selected', async () => {
  const type = 'application/json; charset=utf-8';
  const { id } = await deliver(({ headers }) => (headers['content-type'] = type));
  await inspector.row(id).click();
  const first = selectedId(inspector.page);
  await inspector.page.keyboard.press('r');
  await until(() => selectedId(inspector.page) !== first || undefined);
  await inspector.page.locator('article [data-outcome="stale"]').waitFor();
  const [before, after] = [first, selectedId(inspector.page)].map((each) => deployment.history.get(each)!);
  expect(after?.view).toMatchObject({ query: before?.view.query, headers: { 'content-type': type } });
  expect(after?.body).toEqual(before?.body);
});

test('the record is compared before and after, and the event is shown', async () => {
  const { id } = await deliver();
  await deliver(({ query, payload }) => {
    query.set('CallbackCommand', CHANGED);
    Object.assign(payload, { CallbackCommand: CHANGED, Name: 'New name', EventTime: Number(payload['EventTime']) + 1 });
    delete payload['Owner_Account'];
  }, id);
  await inspector.row(id).first().click();
  const name = inspector.section('Record').getByRole('row', { name: /^name / });
  expect(await name.locator('del').innerText()).toBe('TestOfficialAccount');
  expect(await name.locator('ins').innerText()).toBe('New name');
  expect(
    await inspector
      .section('Record')
      .getByRole('row', { name: /^createdTime/ })
      .locator('ins')
      .count(),
  ).toBe(0);
  await inspector.section('Event').getByText('"Official Account Changed"').first().waitFor();
});

test('a parked delivery shows its record as soon as it is stored', async () => {
  store.fault = 'throttles';
  let parked = '';
  while (parked === '') {
    const { id, reply } = await deliver(); // on a busy machine, a delivery may be lost instead
    if (reply.status === 200) parked = id;
  }
  await inspector.row(parked).filter({ hasText: 'parked' }).click();
  await inspector.section('Record').getByText('Parked: not stored yet.').waitFor();
  store.fault = undefined;
  await inspector
    .section('Record')
    .getByRole('row', { name: /^name TestOfficialAccount/ })
    .waitFor();
  await inspector.row(parked).filter({ hasText: 'then stored' }).waitFor();
  await inspector.section('Log line of the redrive').waitFor();
});

test('the answer of the backend is shown, or why there is none', async () => {
  const forward = ({ query }: HttpDelivery) => query.set('CallbackCommand', 'C2C.CallbackBeforeSendMsg');
  backend.respond = answer('200 OK', {}, '{"ErrorCode":1}');
  await deliver(forward);
  await inspector.row('forwarded').first().click();
  await inspector.section('Answer of your backend').getByText('"ErrorCode": 1').waitFor();
  backend.respond = (socket) => socket.destroy();
  await deliver(forward);
  await inspector.row('backendFailed').first().click();
  await inspector.section('backendFailed').getByText(`${backend.url}/hook`).waitFor();
  backend.respond = OK_ANSWER;
});

test.each(DOCUMENTED_SAMPLES.map(({ CallbackCommand }) => CallbackCommand))(
  'a sample can be sent: %s',
  async (command) => {
    await inspector.button('Send a sample').click();
    await inspector.page
      .getByRole('combobox', { name: 'Sample', exact: true })
      .selectOption(command.replace('OfficialAccount.Callback', ''));
    await inspector.button('Send').click();
    await inspector.page
      .locator('article')
      .getByText(command.replace('OfficialAccount.Callback', ''))
      .first()
      .waitFor();
    await inspector.page.locator('article [data-outcome="stored"]').waitFor();
  },
);

describe('a copied command delivers the same body', () => {
  const BODY = `{"CallbackCommand":"${CREATED}","Official_Account":"it's $(id) \\u0000","Name":"'\\"\\n","EventTime":1}`;
  const ESCAPE = `{"CallbackCommand":"${CREATED}","Name":"\u001b[31m","a":"\u007f"}`;

  test.each([
    ['curl', BODY],
    ['curl', ESCAPE],
    ['curl', Buffer.from([0, 255, 10, 39])],
    ['curl', ''],
    ['npm run send', BODY],
    ['npm run send', Buffer.from([0, 255, 10, 39])],
  ])('%s: %j', async (program, body) => {
    await deliver((delivery) => (delivery.body = body));
    const first = deployment.history.get(newest(deployment.history).id)!;
    await inspector.rowOf(first.view.id).click();
    await inspector.button(`Copy as ${program}`).click();
    await inspector.page.getByText('Copied').waitFor();
    const shell = await inspector.clipboard();
    // Other control characters could make a terminal run a part of the pasted text.
    expect(shell).not.toMatch(/[^\P{Cc}\n]/u);
    await promisify(execFile)('sh', ['-c', shell], { cwd: ROOT }).catch(() => {}); // exit code 1 for a FAIL
    const { view, body: sent } = await until(() => {
      const last = newest(deployment.history);
      return last.number > first.view.number && last.reply ? deployment.history.get(last.id) : undefined;
    });
    expect(sent).toEqual(first.body);
    expect(view.headers['content-type']).toBe(first.view.headers['content-type']);
    if (program === 'curl') expect(view.query).toBe(first.view.query);
  });
});
