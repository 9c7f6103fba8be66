import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { Browser } from 'playwright-core';
import type { Deployment } from '../../infra/local/deployment.ts';
import { httpDelivery, post, type HttpDelivery } from '../delivery.ts';
import { startSlowDeployment } from '../deployment.ts';
import { logKeeper } from '../function-log.ts';
import { slowed } from '../time.ts';
import { until } from '../until.ts';
import { startChromium } from './chromium.ts';
import { openInspector, type Inspector } from './inspector-page.ts';
import { startFastInspector } from '../fast-inspector.ts';

let deployment: Deployment;
let browser: Browser;
let inspector: Inspector;
beforeAll(async () => {
  deployment = await startSlowDeployment({ log: logKeeper().stream });
  browser = await startChromium();
  const deliver = (id: string, change: (delivery: HttpDelivery) => void = () => {}) =>
    post(
      deployment.url,
      httpDelivery((delivery) => {
        delivery.payload['Official_Account'] = id;
        change(delivery);
      }),
    );
  await deliver('@TOA#_first');
  await deliver('@TOA#_新公众号');
  await deliver('@TOA#_unsigned', ({ query }) => query.delete('Sign'));
  await deliver('@TOA#_other', ({ query }) => query.set('CallbackCommand', 'C2C.CallbackBeforeSendMsg'));
  await deliver('@TOA#_nameless', ({ payload }) => delete payload['Name']);
});
afterAll(async () => {
  await browser?.close();
  await deployment?.stop();
});
beforeEach(async () => {
  inspector = await openInspector(browser, deployment.inspectorUrl);
  await inspector.rows.nth(4).waitFor();
});
afterEach(async () => {
  expect(inspector.errors).toEqual([]);
  await inspector.close();
});

const shown = () => inspector.page.locator('ol bdi').allInnerTexts();

test('outcome, reason, command and text filter the list', async () => {
  const { page } = inspector;
  const filter = (name: string) => page.getByLabel(`Filter by ${name}`);
  await filter('outcome').selectOption('rejected');
  await until(async () => (await shown()).length === 2 || undefined);
  expect(await shown()).toEqual(['@TOA#_nameless', '@TOA#_unsigned']);
  await filter('reason').selectOption('badSignature');
  await until(async () => (await shown()).length === 1 || undefined);
  await filter('outcome').selectOption('');
  await filter('reason').selectOption('');
  await filter('command').selectOption('C2C.CallbackBeforeSendMsg');
  await until(async () => (await shown())[0] === '@TOA#_other' || undefined);
  await filter('command').selectOption('');
  for (const [text, id] of [
    ['新公', '@TOA#_新公众号'],
    ['_FIRST', '@TOA#_first'],
    [
      deployment.history.since(0).deliveries.find(({ officialAccountId }) => officialAccountId === '@TOA#_other')!.id,
      '@TOA#_other',
    ],
  ] as const) {
    await page.getByRole('searchbox').fill(text);
    await until(async () => ((await shown()).length === 1 && (await shown())[0] === id) || undefined);
  }
  await page.getByRole('searchbox').fill('no such text');
  await page.getByText('No delivery.').waitFor();
});

test('a link leads to one delivery, and back leads to the list', async () => {
  await inspector.row('@TOA#_first').click();
  const other = await openInspector(browser, inspector.page.url());
  await other.page.locator('article').getByText('@TOA#_first').first().waitFor();
  await other.close();
  await inspector.page.goBack();
  await inspector.page.getByText('Select a delivery.').waitFor();
  await inspector.page.goto(`${deployment.inspectorUrl}/#0123`);
  await inspector.page.getByText('This delivery is not in the history.').waitFor();
});

test('everything can be reached with the keyboard, and the focus is visible', async () => {
  const { page } = inspector;
  const { keyboard } = page;
  const focused = () => page.evaluate<string>('document.activeElement.innerText ?? ""');
  await keyboard.press('j');
  await until(async () => (await focused()).includes('nameless') || undefined);
  await keyboard.press('j');
  await until(async () => (await focused()).includes('other') || undefined);
  await keyboard.press('k');
  await until(async () => (await focused()).includes('nameless') || undefined);
  await keyboard.press('/');
  await keyboard.type('jr/');
  expect(await page.getByRole('searchbox').inputValue()).toBe('jr/');
  await page.getByRole('searchbox').fill('');

  const visited: string[] = [];
  for (let step = 0; step < 40; step += 1) {
    await keyboard.press('Tab');
    const [name, outline] = await page.evaluate<[string, string]>(`(() => {
      const { activeElement: element } = document;
      const name = element === document.body ? 'BODY' : element.ariaLabel || element.innerText || element.tagName;
      return [name.split('\\n')[0], getComputedStyle(element).outlineStyle];
    })()`);
    visited.push(name);
    if (name !== 'BODY') expect([name, outline]).not.toEqual([name, 'none']);
  }
  for (const name of [
    'Deployment',
    'Send a sample',
    'Search in IDs and bodies',
    'Filter by reason',
    'Replay',
    'Copy as curl',
  ]) {
    expect(visited.join('\n')).toContain(name);
  }
});

test('a page that is left open survives a restart of npm start, and its actions work again', async () => {
  const first = await startSlowDeployment({ log: logKeeper().stream });
  const inspectorPort = Number(new URL(first.inspectorUrl).port);
  await post(first.url, httpDelivery());
  const open = await openInspector(browser, first.inspectorUrl);
  await open.rows.first().waitFor();
  await first.stop();
  await open.page.getByText('connecting …').waitFor();
  const second = await startSlowDeployment({ log: logKeeper().stream, inspectorPort });
  try {
    await open.page.getByText('live', { exact: true }).waitFor();
    await open.page.getByText('No delivery.').waitFor();
    await open.button('Send a sample').click();
    await open.button('Send').click();
    await open.page.locator('article [data-outcome="stored"]').waitFor();
  } finally {
    await open.close();
    await second.stop();
  }
});

describe('5,000 deliveries', () => {
  test('stay smooth: few rows, a small heap, fast filters, and the row that one reads does not move', async () => {
    const fast = await startFastInspector();
    const open = await openInspector(browser, fast.inspectorUrl);
    const { page, rows } = open;
    try {
      await fast.deliver(2_500);
      await page.locator('.scroller').evaluate((scroller: { scrollTop: number }) => (scroller.scrollTop = 20_000));
      await rows.first().waitFor();
      const middle = await until(async () => {
        const texts = await page.locator('ol bdi').allInnerTexts();
        return Number(/\d+/.exec(texts[12] ?? '')?.[0]) < 2_200 ? texts[12] : undefined;
      });
      const row = open.row(middle);
      const before = (await row.boundingBox())!.y;
      await fast.deliver(100);
      await page.getByText(/of 2,000/).waitFor();
      await until(async () => (await fast.isCaughtUp(page)) || undefined);
      expect((await row.boundingBox())!.y).toBeCloseTo(before, 0);

      await fast.deliver(2_400);
      await until(async () => (await fast.isCaughtUp(page)) || undefined, slowed(30_000));
      await page.getByText('2,000 of 2,000').waitFor();
      for (const top of [0, 40_000, 1e9]) {
        await page
          .locator('.scroller')
          .evaluate((scroller: { scrollTop: number }, to: number) => (scroller.scrollTop = to), top);
        await page.waitForTimeout(100);
        expect(await rows.count()).toBeLessThanOrEqual(100);
        expect(await rows.count()).toBeGreaterThan(10);
      }
      const session = await page.context().newCDPSession(page);
      await session.send('HeapProfiler.collectGarbage');
      const heapMb = (await page.evaluate<number>('performance.memory.usedJSHeapSize')) / 1e6;
      expect(heapMb).toBeLessThan(150);

      const filterMs = await page.evaluate<number[]>(`(async () => {
        const times = [];
        const input = document.getElementById('search');
        for (const text of ['4', '49', '499', '4999', '499', '新', '']) {
          const start = performance.now();
          input.value = text;
          input.dispatchEvent(new Event('input'));
          await new Promise((resolve) => requestAnimationFrame(() => resolve()));
          document.querySelector('ol').getBoundingClientRect();
          times.push(performance.now() - start);
        }
        return times;
      })()`);
      const rowCount = await rows.count();
      console.log(
        `rows ${rowCount}, heap ${heapMb.toFixed(1)} MB, filter ${filterMs.map((ms) => ms.toFixed(0)).join(', ')} ms`,
      );
      expect(open.errors).toEqual([]);
    } finally {
      await open.close();
      await fast.close();
    }
  });
});

describe.each(['light', 'dark'] as const)('axe-core finds no violation, %s', (colorScheme) => {
  const source = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

  test.each([1440, 360])('%s px wide', async (width) => {
    const open = await openInspector(browser, deployment.inspectorUrl, {
      colorScheme,
      viewport: { width, height: 800 },
    });
    const { page } = open;
    const check = async (what: string) => {
      await page.evaluate(source);
      const { violations } = await page.evaluate<{ violations: { id: string; nodes: { html: string }[] }[] }>(
        'axe.run()',
      );
      const found = violations.map(({ id, nodes }) => [id, ...nodes.map(({ html }) => html)]);
      expect([what, found]).toEqual([what, []]);
    };
    await open.rows.first().waitFor();
    await check('list');
    await open.row('badPayload').click();
    await open.section('Rejected').waitFor();
    await check('rejected');
    await open.button('Edit and replay').click();
    await page.getByRole('dialog').waitFor();
    await check('editor');
    await page.keyboard.press('Escape');
    await page.goto(`${deployment.inspectorUrl}/#`);
    await open.row('@TOA#_first').click();
    await open.section('Record').waitFor();
    await check('stored');
    await page.goto(`${deployment.inspectorUrl}/#state`);
    await page.locator('summary').first().click();
    await check('state');
    expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true);
    await open.close();
  });
});
