import { startLocalReceiver } from '../local-receiver.ts';
import { program } from '../program.ts';

const COUNT = 3_000;
const CONCURRENCY = 20;

/** What `npm start` takes from `npm run send`: gateway, function, store and sender on this one machine. */
export interface Throughput {
  count: number;
  concurrency: number;
  perSecond: number;
  p50Ms: number;
  p99Ms: number;
}

/** @throws where a reply is not OK. */
export async function measureThroughput(): Promise<Throughput> {
  const receiver = await startLocalReceiver();
  try {
    const options = ['--url', receiver.url, '--count', String(COUNT), '--concurrency', String(CONCURRENCY)];
    const { code, stdout } = await program('infra/local/send.ts', options).ended;
    const [, perSecond, p50Ms, p99Ms] = /sent, (\d+)\/s, 0 not OK[^]*p50 (\d+), p99 (\d+)/.exec(stdout) ?? [];
    if (code !== 0 || perSecond === undefined) throw new Error(`npm run send failed: ${stdout}`);
    return {
      count: COUNT,
      concurrency: CONCURRENCY,
      perSecond: Number(perSecond),
      p50Ms: Number(p50Ms),
      p99Ms: Number(p99Ms),
    };
  } finally {
    await receiver.stop();
  }
}
