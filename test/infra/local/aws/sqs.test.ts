import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import type { SQSEvent } from 'aws-lambda';
import { startSqs } from '../../../../infra/local/aws/sqs.ts';
import { until } from '../../../until.ts';

test('the messages of a folder outlive the service, with the number of their attempts', async () => {
  const directory = join(mkdtempSync(join(tmpdir(), 'sqs-test-')), 'queues');
  const start = async (services: AsyncDisposableStack) =>
    services.adopt(await startSqs([{ name: 'parking', visibilitySeconds: 1 }], 1, directory), (sqs) => sqs.close());
  const attempts: [string, number][] = [];
  const processMessage =
    (isWell: boolean) =>
    async ({ Records }: SQSEvent) => {
      for (const { body, attributes } of Records) attempts.push([body, Number(attributes.ApproximateReceiveCount)]);
      return { batchItemFailures: isWell ? [] : Records.map(({ messageId }) => ({ itemIdentifier: messageId })) };
    };
  {
    await using services = new AsyncDisposableStack();
    const first = await start(services);
    await first.send('parking', '新');
    services.defer(first.poll('parking', 1, processMessage(false)));
    await until(() => attempts.length >= 2);
  }
  await using services = new AsyncDisposableStack();
  const second = await start(services);
  expect(second.messages('parking')).toEqual(['新']);
  services.defer(second.poll('parking', 1, processMessage(true)));
  await until(() => second.messages('parking').length === 0);
  expect(attempts).toEqual(attempts.map((_, index) => ['新', index + 1]));
});
