import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import type { SQSEvent } from 'aws-lambda';
import { startSqs } from '../../../../infra/local/aws/sqs.ts';
import { until } from '../../../until.ts';

test('the messages of a folder outlive the service, with the number of their attempts, and are processed by the next one', async () => {
  const directory = join(mkdtempSync(join(tmpdir(), 'sqs-test-')), 'queues');
  const start = () => startSqs([{ name: 'parking', visibilitySeconds: 1 }], 1, directory);
  const records: SQSEvent['Records'] = [];
  const first = await start();
  for (const body of ['a', 'b']) await first.send('parking', body);
  const stopPolling = first.poll('parking', 1, async ({ Records: [record] }) => {
    records.push(record!);
    if (record?.body === 'a') return {};
    throw new Error('told to');
  });
  await until(() => records.length >= 3);
  stopPolling();
  await first.close();

  const second = await start();
  expect(second.messages('parking')).toEqual(['b']);
  const stop = second.poll('parking', 1, async ({ Records }) => (records.push(...Records), {}));
  await until(() => second.messages('parking').length === 0);
  stop();
  const attempts = records.map(({ body, attributes }) => [body, Number(attributes.ApproximateReceiveCount)]);
  expect(attempts.slice(0, 3)).toEqual([
    ['a', 1],
    ['b', 1],
    ['b', 2],
  ]);
  expect(attempts.at(-1)?.[1]).toBeGreaterThan(2);
  await second.close();
});
