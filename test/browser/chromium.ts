import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { chromium, type Browser } from 'playwright-core';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
const ON_MACOS = '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome';

/** Finds the browser: $CHROME_PATH, or a usual name in $PATH. Returns undefined if there is none. */
export function chromiumPath(): string | undefined {
  const { CHROME_PATH, PATH = '' } = process.env;
  const inPath = NAMES.flatMap((name) => PATH.split(delimiter).map((directory) => join(directory, name)));
  return (CHROME_PATH ? [CHROME_PATH] : [...inPath, ON_MACOS]).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** @param args More arguments of the command line. */
export function startChromium(...args: string[]): Promise<Browser> {
  // --enable-precise-memory-info: otherwise the size of the heap is rounded.
  const path = chromiumPath();
  if (path === undefined) throw new Error('there is no Chromium: set CHROME_PATH');
  return chromium.launch({ executablePath: path, args: ['--enable-precise-memory-info', ...args] });
}
