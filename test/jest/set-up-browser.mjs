import { chromiumPath } from '../browser/chromium.ts';
import setUpWhole from './set-up-whole.mjs';

/** Ends the run with instructions if there is no browser. */
export default function setUpBrowser() {
  if (chromiumPath() === undefined) {
    console.error(
      'These tests need Chromium or Chrome. Install one, for example with `apt-get install chromium`, ' +
        'or set CHROME_PATH to the path of its executable.',
    );
    process.exit(1);
  }
  setUpWhole();
}
