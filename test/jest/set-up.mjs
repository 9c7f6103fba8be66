import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Gives a run a temporary directory of its own: its workers inherit it, and it is removed with all that is left there. */
export default function setUp() {
  const directory = mkdtempSync(join(tmpdir(), 'tencent-chat-test-'));
  process.env.TMPDIR = directory;
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }));
}
