import { setTimeout as sleep } from 'node:timers/promises';
import { expect, jest, test } from '@jest/globals';
import type { DynamoDBRecord } from 'aws-lambda';
import { startPipe } from '../../../../infra/local/aws/pipe.ts';

const INSERTED: DynamoDBRecord = { eventName: 'INSERT' };

test('a pipe that is stopped while it waits for more records hands none on', async () => {
  const enrich = jest.fn(async () => []);
  const pipe = startPipe({ patterns: [{ eventName: ['INSERT'] }], batchSize: 10 }, enrich, () => {});
  pipe.take(INSERTED);
  pipe.stop();
  await sleep(100);
  expect(enrich).not.toHaveBeenCalled();
});
