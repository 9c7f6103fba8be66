import { createServer } from 'node:http';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { Browser } from 'playwright-core';
import { listen } from '../../infra/local/aws/loopback.ts';
import type { Deployment } from '../../infra/local/deployment.ts';
import { httpDelivery, post, type HttpDelivery } from '../delivery.ts';
import { startSlowDeployment } from '../deployment.ts';
import { logKeeper } from '../function-log.ts';
import { until } from '../until.ts';
import { startChromium } from './chromium.ts';
import { newest, openInspector, type Inspector } from './inspector-page.ts';

let deployment: Deployment;
let browser: Browser;
let inspector: Inspector;
beforeAll(async () => {
  deployment = await startSlowDeployment({ log: logKeeper().stream });
  browser = await startChromium('--host-resolver-rules=MAP rebound.example 127.0.0.1');
});
afterAll(async () => {
  await browser?.close();
  await deployment?.stop();
});

const deliver = (change: (delivery: HttpDelivery) => void) => post(deployment.url, httpDelivery(change));

describe('untrusted text stays text:', () => {
  beforeEach(async () => {
    inspector = await openInspector(browser, deployment.inspectorUrl);
  });
  afterEach(async () => {
    expect(inspector.errors).toEqual([]); // no dialog, no script, no violation of the policy
    await inspector.close();
  });

  test.each([
    ['an image', '<img src=x onerror=alert(1)>', '<img src=x onerror=alert(1)>'],
    ['a script', '</pre><script>alert(1)</script>', '</pre><script>alert(1)</script>'],
    ['the end of JSON', '"]}', String.raw`\"]}`],
    ['a template of lit-html', '${alert(1)} <!--?lit$1$-->', '${alert(1)} <!--?lit$1$-->'],
    ['marks that change the direction', 'a\u202egnp.exe\u200f', String.raw`a\u202egnp.exe\u200f`],
    ['half a surrogate', 'half \ud800', String.raw`half \ud800`],
    ['a link', 'javascript:alert(1)', 'javascript:alert(1)'],
    ['10 kB without a space', 'x'.repeat(10_000), 'x'.repeat(10_000)],
    ['control characters', '新公众号\u0000\u001b[31m', String.raw`新公众号\u0000\u001b[31m`],
  ])('%s', async (_what, text, shown) => {
    const body = JSON.stringify({
      ...httpDelivery().payload,
      Official_Account: text.toWellFormed().slice(0, 1_000),
      Name: text,
    });
    await deliver((delivery) => {
      delivery.body = body;
      delivery.query.set('OptPlatform', text.toWellFormed().slice(0, 1_000));
    });
    const { page } = inspector;
    await inspector.rowOf(newest(deployment.history).id).click();
    await inspector.section('Record').getByRole('row', { name: /^name/ }).waitFor();
    expect(await inspector.section(/^Body$/).innerText()).toContain(shown);
    // Only the markup of the page exists.
    expect(
      await page.locator('body img, body script, body iframe, body [onerror], a[href^="javascript"]').count(),
    ).toBe(0);
    expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true);
    await page.goto(`${deployment.inspectorUrl}/#state`);
    await page.locator('summary').first().waitFor();
    expect(await page.locator('body img, body script, body iframe').count()).toBe(0);
  });

  test('a body that is not UTF-8, and one of 6 MB', async () => {
    await deliver((delivery) => (delivery.body = Buffer.from('{"Name":"caf\xe9"}', 'latin1')));
    await inspector.rowOf(newest(deployment.history).id).click();
    await inspector
      .section(/^Body$/)
      .getByText('not UTF-8')
      .waitFor();
    await inspector.row('badBody').waitFor();

    await deliver((delivery) => (delivery.body = Buffer.alloc(6_000_000, 'a')));
    await inspector.row('too large').click();
    await inspector
      .section(/^Body$/)
      .getByText('6,000,000 bytes, the first 64 KiB are shown')
      .waitFor();
    expect(await inspector.button('Edit and replay').isDisabled()).toBe(true);
    await inspector.button('Replay').click();
    await until(() => deployment.history.since(0).deliveries.filter(({ body }) => body.bytes === 6_000_000)[1]);
  });

  test('the policy would stop markup that gets into the page', async () => {
    const { page, errors } = inspector;
    const inject = `document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=alert(1)>')`;
    await expect(page.evaluate(inject)).rejects.toThrow('TrustedHTML');
    await page.evaluate(
      `document.body.append(Object.assign(document.createElement('img'), { src: 'http://127.0.0.1:1/' }))`,
    );
    await until(() => errors.find((text) => text.includes("img-src 'self'")));
    errors.length = 0;
  });
});

describe('a page of another origin', () => {
  const FETCH = `fetch(URL, OPTIONS).then(({ status }) => 'status ' + status, () => 'no answer')`;
  const attempt = (url: string, options: string) => FETCH.replace('URL', `'${url}'`).replace('OPTIONS', options);

  test('reads nothing and sends nothing', async () => {
    const foreign = await listen(
      createServer((_request, response) => response.writeHead(200, { 'content-type': 'text/html' }).end('foreign')),
      0,
    );
    const context = await browser.newContext();
    const page = await context.newPage();
    try {
      await page.goto(foreign.url);
      const before = deployment.history.since(0).deliveries.length;
      for (const path of ['/', '/deliveries', '/state', '/events', '/deployment']) {
        expect(await page.evaluate(attempt(deployment.inspectorUrl + path, '{}'))).toBe('no answer');
      }
      const send = `{ method: 'POST', mode: 'no-cors', body: '{"query":[],"body":""}' }`;
      await page.evaluate(attempt(`${deployment.inspectorUrl}/send`, send));
      expect(deployment.history.since(0).deliveries).toHaveLength(before);
      // Nor can it show the page in a frame.
      const frame = `document.body.append(Object.assign(document.createElement('iframe'), { src: '${deployment.inspectorUrl}' }))`;
      await page.evaluate(frame);
      await until(() => page.frames().find((each) => each.url().startsWith('chrome-error:')));
    } finally {
      await context.close();
      await foreign.close();
    }
  });

  test('gets 403 under a name of its own that leads to this machine', async () => {
    const page = await browser.newPage();
    const response = await page.goto(deployment.inspectorUrl.replace('127.0.0.1', 'rebound.example'));
    expect(response?.status()).toBe(403);
    await page.close();
  });
});
