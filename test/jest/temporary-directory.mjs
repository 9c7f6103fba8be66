import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Gives a run a temporary directory of its own: its workers inherit it, and what they and their programs leave goes with it. */
export default function setUp() {
  const directory = mkdtempSync(join(tmpdir(), 'tencent-chat-test-'));
  process.env['TMPDIR'] = directory;
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }));
}
