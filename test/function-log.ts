import { Writable } from 'node:stream';
import { until } from './until.ts';

/** Returns the function's own lines, without those of Lambda. */
export function logLines(printed: string): Record<string, any>[] {
  return printed
    .split('\n')
    .filter((line) => /^\{"level".*\}$/.test(line))
    .map((line) => JSON.parse(line));
}

/** Collects the log of the functions, so that it is not part of the test's output. */
export function logKeeper() {
  const keeper = {
    text: '',
    stream: new Writable({
      write(chunk, _encoding, done) {
        keeper.text += chunk;
        done();
      },
    }),
    linesOf: (message: 'delivery' | 'redrive') => logLines(keeper.text).filter((line) => line['message'] === message),
    /** Returns the lines that count deliveries, in CloudWatch's embedded metric format. */
    counts: () =>
      keeper.text
        .split('\n')
        .filter((line) => line.includes('"_aws"'))
        .map((line): Record<string, any> => JSON.parse(line)),
    deliveryOf: (id: string) =>
      until(() => keeper.linesOf('delivery').find((line) => line['officialAccountId'] === id)),
  };
  return keeper;
}
