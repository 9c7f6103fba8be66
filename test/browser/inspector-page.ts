import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import type { History } from '../../infra/local/inspector/history.ts';
import { slowed } from '../time.ts';

/** Opens the inspector and waits until it is live. Errors of the page and violations of its policy go to `errors`. */
export async function openInspector(browser: Browser, url: string, options: BrowserContextOptions = {}) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options });
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  const page = await context.newPage();
  page.setDefaultTimeout(slowed(10_000));
  const errors: string[] = [];
  page.on('pageerror', ({ message }) => errors.push(message));
  page.on('console', (message) => {
    // A lost connection is not an error of the page.
    if (message.type() === 'error' && !message.text().includes('ERR_')) errors.push(message.text());
  });
  page.on('dialog', (dialog) => {
    errors.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  await page.goto(url);
  await page.getByText('live', { exact: true }).waitFor();
  return {
    page,
    errors,
    rows: page.locator('ol a'),
    row: (text: string) => page.locator('ol a').filter({ hasText: text }),
    rowOf: (id: string) => page.locator(`ol a[href="#${id}"]`),
    section: (title: string | RegExp) =>
      page.locator('section').filter({ has: page.getByRole('heading', { name: title }) }),
    button: (name: string) => page.getByRole('button', { name, exact: true }),
    clipboard: () => page.evaluate<string>('navigator.clipboard.readText()'),
    close: () => context.close(),
  };
}

export type Inspector = Awaited<ReturnType<typeof openInspector>>;

/** Returns the ID of the selected delivery. */
export const selectedId = (page: Page): string => new URL(page.url()).hash.slice(1);

/** Returns the delivery that arrived last. There must be at most 100. */
export const newest = (history: History) => history.since(0).deliveries.toSorted((a, b) => b.number - a.number)[0]!;
