import { expect, jest, test } from '@jest/globals';
import { StreamViewType, TableV2 } from 'aws-cdk-lib/aws-dynamodb';
import { hostStack, KEYS, webhookIn } from './host.ts';

test('a table is checked even if the app contains two copies of aws-cdk-lib', async () => {
  jest.resetModules();
  const copy = await import('aws-cdk-lib/aws-dynamodb');
  expect(copy.TableV2).not.toBe(TableV2);
  const stack = hostStack();
  const table = new copy.TableV2(stack as any, 'T', { ...KEYS, dynamoStream: StreamViewType.NEW_IMAGE });
  expect(() => webhookIn(stack, { table: table as any })).toThrow('- table has a stream of the type NEW_IMAGE');
});
