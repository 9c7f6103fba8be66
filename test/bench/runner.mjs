/**
 * Stands for Lambda's runtime, in each contestant's process: node runner.mjs FILE HANDLER [slow-clock]
 *
 * Loads the bundle, then takes one order a line from file descriptor 4 (`{ event, count, pauseMs }`) and reports one
 * line each on 3, the first one for init. Waits blocked, as a frozen instance does. Ends where there are no more orders.
 */
// No import statement: the ES faces of Node's modules would be part of every figure.
const { readSync, writeSync, readFileSync } = process.getBuiltinModule('node:fs');
const [file, handlerName, slowClock] = process.argv.slice(2);
const TIMEOUT_MS = 10_000;

// Under callgrind a process is fifty times slower: its time limits must not be what is measured.
if (slowClock !== undefined) {
  const timers = process.getBuiltinModule('node:timers');
  const { setTimeout } = timers;
  globalThis.setTimeout = timers.setTimeout = (callback, ms, ...rest) => setTimeout(callback, ms * 1_000, ...rest);
}

// As Lambda's own runtime loads them.
const { [handlerName]: handler } = file.endsWith('.cjs')
  ? process.getBuiltinModule('node:module').createRequire(file)(file)
  : await import(process.getBuiltinModule('node:url').pathToFileURL(file).href);
report({ end: mark() });

const chunk = Buffer.alloc(65_536);
let pending = '';
for (let order = nextOrder(); order !== undefined; order = nextOrder()) {
  const { event, count, pauseMs } = JSON.parse(order);
  report(await (count === 1 ? deliverOnce(event) : deliverMany(event, count, pauseMs)));
}
process.exit();

async function deliverOnce(event) {
  const start = mark();
  const reply = await deliver(event);
  return { start, end: mark(), reply, peakBytes: peakBytes() };
}

async function deliverMany(event, count, pauseMs) {
  const milliseconds = [];
  const allocated = allocations();
  const start = mark();
  let reply;
  for (let delivered = 0; delivered < count; delivered += 1) {
    if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
    const startTime = performance.now();
    reply = await deliver(event);
    milliseconds.push(performance.now() - startTime);
  }
  const end = mark();
  return { start, end, reply, peakBytes: peakBytes(), milliseconds, allocatedBytes: allocated() };
}

/** From text to text, as Lambda's runtime does. */
async function deliver(event) {
  const endTime = performance.now() + TIMEOUT_MS;
  const context = { awsRequestId: 'bench', getRemainingTimeInMillis: () => endTime - performance.now() };
  return JSON.stringify(await handler(JSON.parse(event), context));
}

/** Wall milliseconds since Node's start, and CPU time of all threads in microseconds. */
function mark() {
  const { user, system } = process.cpuUsage();
  return { ms: performance.now(), cpuUs: user + system };
}

/** The process's peak. Not maxRSS: that begins at what the parent had when it forked. */
function peakBytes() {
  try {
    return Number(/VmHWM:\s*(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'))[1]) * 1_024;
  } catch {
    return process.resourceUsage().maxRSS * 1_024; // not Linux
  }
}

/** Counts what is allocated on the heap from now on: what was added between collections. */
function allocations() {
  const profiler = new (process.getBuiltinModule('node:v8').GCProfiler)();
  let usedBefore = process.memoryUsage().heapUsed;
  profiler.start();
  return () => {
    let sum = 0;
    for (const { beforeGC, afterGC } of profiler.stop().statistics) {
      sum += beforeGC.heapStatistics.usedHeapSize - usedBefore;
      usedBefore = afterGC.heapStatistics.usedHeapSize;
    }
    return sum + process.memoryUsage().heapUsed - usedBefore;
  };
}

function nextOrder() {
  for (;;) {
    const end = pending.indexOf('\n');
    if (end !== -1) {
      const order = pending.slice(0, end);
      pending = pending.slice(end + 1);
      return order;
    }
    const length = readSync(4, chunk);
    if (length === 0) return undefined;
    pending += chunk.toString('utf8', 0, length);
  }
}

function report(line) {
  writeSync(3, `${JSON.stringify(line)}\n`);
}
