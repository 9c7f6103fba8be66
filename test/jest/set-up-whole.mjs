import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { synthesizeOnce } from '../assemblies.ts';
import setUp from './set-up.mjs';

/** How long the synthesis takes on a quiet machine with two cores, in ms. */
const USUAL_SYNTHESIS_MS = 6_000;
/** How many times slower than on AWS the functions' timers run on a quiet machine. */
const USUAL_TIME_SCALE = 4;

/**
 * Synthesizes the stack once for all tests, and sets how much slower the functions' timers run: on a machine that is slow,
 * or busy, in proportion to the time that the synthesis took.
 */
export default function setUpWhole() {
  setUp();
  process.env.NODE_COMPILE_CACHE = join(tmpdir(), 'compile-cache'); // for the programs that the tests run
  process.env.CDK_VALIDATION = 'false'; // it takes several seconds, and test/infra/nag.ts switches it on
  const start = performance.now();
  synthesizeOnce({});
  const slowness = Math.max(1, (performance.now() - start) / USUAL_SYNTHESIS_MS);
  process.env.TEST_TIME_SCALE = (USUAL_TIME_SCALE * slowness).toFixed(1);
}
