/**
 * Does the work of Lambda's runtime in the process of a contestant: node runner.mjs OPTIONS
 *
 * Loads the bundle, then handles deliveries one at a time. Writes one report to file descriptor 3.
 */
// No import statement: the ES module faces of Node's builtins would add to every figure.
const { writeSync, readFileSync, writeFileSync } = process.getBuiltinModule('node:fs');
const { file, handlerName, event, warmUp, deliveries, procsFile, isSlow } = JSON.parse(process.argv[2]);

// Callgrind makes a process fifty times slower: without longer timers the deadlines of OURS would expire.
if (isSlow) {
  const timers = process.getBuiltinModule('node:timers');
  const { setTimeout } = timers;
  globalThis.setTimeout = timers.setTimeout = (callback, ms, ...rest) => setTimeout(callback, ms * 1_000, ...rest);
}

// As Lambda's own runtime loads them.
const { [handlerName]: handler } = file.endsWith('.cjs')
  ? process.getBuiltinModule('node:module').createRequire(file)(file)
  : await import(process.getBuiltinModule('node:url').pathToFileURL(file).href);
const init = mark();

if (procsFile !== undefined) writeFileSync(procsFile, String(process.pid));
for (let count = 0; count < warmUp; count += 1) await deliver();
const start = mark();
const times = new Float64Array(deliveries);
let reply;
for (let count = 0; count < deliveries; count += 1) {
  const before = performance.now();
  reply = await deliver();
  times[count] = performance.now() - before;
}
const end = mark();
writeSync(
  3,
  JSON.stringify({ init, start, end, reply, medianMs: times.toSorted()[deliveries >> 1], peakBytes: peakBytes() }),
);
process.exit();

/** Converts from text to text, as Lambda's runtime does. */
async function deliver() {
  const endTime = performance.now() + 10_000;
  const context = { awsRequestId: 'bench', getRemainingTimeInMillis: () => endTime - performance.now() };
  return JSON.stringify(await handler(JSON.parse(event), context));
}

function mark() {
  const { user, system } = process.cpuUsage();
  return { ms: performance.now(), cpuUs: user + system };
}

/** Not maxRSS on Linux, because that starts at the memory of the parent process. */
function peakBytes() {
  if (process.platform !== 'linux') return process.resourceUsage().maxRSS * 1_024;
  return Number(/VmHWM:\s*(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'))[1]) * 1_024;
}
