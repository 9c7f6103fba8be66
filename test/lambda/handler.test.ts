import { expect, test } from '@jest/globals';
import { Logger } from '@aws-lambda-powertools/logger';
import { Metrics } from '@aws-lambda-powertools/metrics';
import { createHandler, type Dependencies } from '../../lambda/handler.ts';
import { sign } from '../../lambda/signature.ts';
import { webhookToken } from '../../lambda/token.ts';
import { CREATED, delivery, RECEIVED, SDK_APP_ID, TOKEN } from '../delivery.ts';

/** Throws on each line, as with a broken standard output. */
class BrokenLogger extends Logger {
  protected override printLog(): void {
    throw new Error('the line can’t be written');
  }
}
class BrokenMetrics extends Metrics {
  override publishStoredMetrics(): never {
    throw new Error('the metrics can’t be written');
  }
}

const store = { send: async () => ({}), destroy: () => {} };
const dependencies = () =>
  ({
    logger: new BrokenLogger(),
    metrics: new BrokenMetrics({ namespace: 'test' }),
    sdkAppId: SDK_APP_ID,
    allowedCidrs: [],
    token: webhookToken(async () => [TOKEN]),
    dynamoDb: store,
    tableName: 'accounts',
    queues: () => Promise.reject(new Error('this test parks nothing')),
  }) as unknown as Dependencies;

const requestTime = String(Math.floor(RECEIVED / 1000));
const wireQuery = (change: Record<string, string>) => ({
  SdkAppid: SDK_APP_ID,
  CallbackCommand: CREATED,
  Sign: sign(TOKEN, requestTime),
  RequestTime: requestTime,
  ...change,
});

test.each([
  ['stored', {}, '{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0}'],
  ['rejected', { SdkAppid: '1' }, expect.stringContaining('"ErrorCode":120001')],
  ['ignored', { CallbackCommand: 'C2C.X', Sign: '0' }, '{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0}'],
])(
  'a delivery that is %s gets a reply in Tencent’s format even if no log line can be written',
  async (_what, change, body) => {
    const event = delivery((right) => {
      right.queryStringParameters = wireQuery(change);
      right.body = JSON.stringify(right.body);
    });
    const lines: string[] = [];
    const write = process.stderr.write;
    process.stderr.write = ((text: string) => lines.push(text)) as never;
    const reply = await createHandler(dependencies())(event, {} as never).finally(() => {
      process.stderr.write = write;
    });
    expect(reply).toEqual({ statusCode: 200, headers: { 'content-type': 'application/json' }, body });
    expect(lines.map((line) => JSON.parse(line))).toEqual([
      { level: 'ERROR', message: 'a log line is lost', error: 'Error: the line can’t be written' },
      { level: 'ERROR', message: 'a log line is lost', error: 'Error: the metrics can’t be written' },
    ]);
  },
);
