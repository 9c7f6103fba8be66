import { mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Free space that a run requires. A measured run needs 76 MB. */
const NEEDED_MB = 200;

/** Gives a test run its own temporary directory, which the workers inherit. It is removed at the end. */
export default function setUp() {
  const { bavail, bsize } = statfsSync(tmpdir());
  const freeMb = Math.floor((bavail * bsize) / 1e6);
  if (freeMb < NEEDED_MB) {
    console.error(`${tmpdir()} has ${freeMb} MB free, and the tests need ${NEEDED_MB}: free some, or set TMPDIR.`);
    process.exit(1);
  }
  const directory = mkdtempSync(join(tmpdir(), 'tencent-chat-test-'));
  process.env.TMPDIR = directory;
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }));
}
