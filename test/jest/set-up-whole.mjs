import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { synthesizeOnce } from '../assemblies.ts';
import setUp from './set-up.mjs';

/** Duration of the synthesis on an idle machine with two cores. */
const USUAL_SYNTHESIS_MS = 6_000;
/** Factor by which the functions' timers are slower than on AWS, on an idle machine. */
const USUAL_TIME_SCALE = 4;

/**
 * Synthesizes the stack once for all tests, and sets the factor by which the functions' timers are slower. On a slow or busy
 * machine it grows with the duration of the synthesis.
 */
export default function setUpWhole() {
  setUp();
  process.env.NODE_COMPILE_CACHE = join(tmpdir(), 'compile-cache'); // for the programs that the tests run
  process.env.CDK_VALIDATION = 'false'; // it takes several seconds; test/infra/nag.ts turns it on
  const start = performance.now();
  synthesizeOnce({});
  const slowness = Math.max(1, (performance.now() - start) / USUAL_SYNTHESIS_MS);
  process.env.TEST_TIME_SCALE = (USUAL_TIME_SCALE * slowness).toFixed(1);
}
