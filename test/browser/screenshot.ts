import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import type { Browser } from 'playwright-core';
import { createProgram, run, userPath } from '../../infra/cli/command-line.ts';
import {
  DOCUMENTED_SAMPLES,
  EXAMPLE_CLIENT,
  EXAMPLE_SDK_APP_ID,
  EXAMPLE_TOKEN,
  deliveryUrl,
  post,
} from '../../infra/local/chat.ts';
import { startDeployment } from '../../infra/local/deployment.ts';
import { synthesize } from '../../infra/local/synthesize.ts';
import { ROOT } from '../program.ts';
import { startChromium } from './chromium.ts';
import { openInspector } from './inspector-page.ts';

const program = createProgram('npm run screenshot --', 'Creates .github/inspector.png from the real page.')
  .option('--to <folder>', 'creates instead one picture for each width, theme and view, in this folder', userPath)
  .action(async ({ to: directory }) => {
    const spec = await synthesize({ sdkAppId: EXAMPLE_SDK_APP_ID });
    const log = new PassThrough().resume();
    const deployment = await startDeployment({ spec, token: EXAMPLE_TOKEN, port: 0, log, timeScale: 10 });
    const browser = await startChromium();
    try {
      await deliverExamples(deployment.url);
      if (directory === undefined)
        await picture(
          browser,
          deployment.inspectorUrl,
          join(ROOT, '.github/inspector.png'),
          '新闻频道',
          1440,
          'light',
          860,
        );
      else {
        for (const width of [360, 800, 1440]) {
          for (const theme of ['light', 'dark'] as const) {
            for (const view of ['', 'badSignature', '新闻频道', '#state']) {
              const name = { '': 'list', badSignature: 'rejected', '#state': 'deployment' }[view] ?? 'stored';
              await picture(
                browser,
                deployment.inspectorUrl,
                join(directory, `${width}-${theme}-${name}.png`),
                view,
                width,
                theme,
              );
            }
          }
        }
      }
    } finally {
      await browser.close();
      await deployment.stop();
    }
  });

/** Sends deliveries with different outcomes. */
async function deliverExamples(url: string): Promise<void> {
  const sender = { url, sdkAppId: EXAMPLE_SDK_APP_ID, ...EXAMPLE_CLIENT };
  const deliver = async (command: string, change: object, token = EXAMPLE_TOKEN, requestTime?: string) => {
    const sample = DOCUMENTED_SAMPLES.find(({ CallbackCommand }) => CallbackCommand === command);
    const body = { ...sample, CallbackCommand: command, EventTime: Date.now(), ...change };
    await post(deliveryUrl({ ...sender, token }, command, requestTime), JSON.stringify(body));
  };
  const [created, changed, destroyed, full] = DOCUMENTED_SAMPLES.map(({ CallbackCommand }) => CallbackCommand);
  for (const account of ['@TOA#_sports', '@TOA#_weather']) await deliver(created!, { Official_Account: account });
  await deliver(created!, { Official_Account: '@TOA#_news', Name: '新公众号' });
  await deliver('C2C.CallbackBeforeSendMsg', { From_Account: 'a' });
  await deliver(full!, { Official_Account: '@TOA#_sports' });
  await deliver(
    created!,
    { Official_Account: '@TOA#_music' },
    EXAMPLE_TOKEN,
    String(Math.floor(Date.now() / 1000) - 600),
  );
  await deliver(changed!, { Official_Account: '@TOA#_news', Name: '新闻频道', Introduction: 'Daily news' });
  await deliver(created!, { Official_Account: '@TOA#_travel', Name: undefined });
  await deliver(destroyed!, { Official_Account: '@TOA#_weather' });
  await deliver(created!, { Official_Account: '@TOA#_cinema', Name: 'Cinema' }, 'an old token');
}

/** @param view Text of a delivery to select, or the hash of a view. */
async function picture(
  browser: Browser,
  inspectorUrl: string,
  path: string,
  view: string,
  width: number,
  colorScheme: 'light' | 'dark',
  height = 900,
): Promise<void> {
  const viewport = { width, height };
  const url = inspectorUrl + (view.startsWith('#') ? `/${view}` : '');
  const { page, rows, errors, close } = await openInspector(browser, url, { colorScheme, viewport });
  if (view.startsWith('#')) await page.locator('summary').first().waitFor();
  else if (view !== '') {
    await page.getByRole('searchbox').fill(view === 'badSignature' ? 'cinema' : view);
    await rows.first().click();
    await page.locator('article').waitFor();
    // The whole list is visible again.
    if (width > 800) await page.getByRole('searchbox').fill('');
    await page.mouse.move(0, 0);
  }
  await page.waitForTimeout(500);
  await page.screenshot({ path });
  if (errors.length > 0) throw new Error(errors.join('\n'));
  await close();
}

await run(program);
