import { describe, expect, test } from '@jest/globals';
import { checkSignature } from '../../../lambda/checks/signature.ts';
import { webhookToken } from '../../../lambda/token.ts';
import { RECEIVED, request, signed, TOKEN } from '../../delivery.ts';

describe('the signature check', () => {
  const check = checkSignature(
    webhookToken(
      async () => [TOKEN],
      () => RECEIVED,
    ),
  );
  const receivedSeconds = Math.floor(RECEIVED / 1000);

  async function reasonFor(query: { sign?: string; requestTime?: string }): Promise<string> {
    try {
      await check(request((delivery) => Object.assign(delivery.query, query)) as never);
      return 'none';
    } catch (error) {
      return (error as { reason: string }).reason;
    }
  }

  test.each([
    [0, 'none'],
    [60, 'none'],
    [-60, 'none'],
    [61, 'expired'],
    [-61, 'expired'],
    [86_400, 'expired'],
  ])('a RequestTime %d s from the receipt is rejected for: %s', async (seconds, reason) => {
    const { Sign, RequestTime } = signed(receivedSeconds + seconds);
    expect(await reasonFor({ sign: Sign, requestTime: RequestTime })).toBe(reason);
  });

  test.each([
    '',
    'now',
    'Infinity',
    `0x${receivedSeconds.toString(16)}`,
    `+${receivedSeconds}`,
    ` ${receivedSeconds}`,
    `${receivedSeconds}.9`,
    `${receivedSeconds / 10}e1`,
    `${receivedSeconds},${receivedSeconds}`,
  ])('a RequestTime that is not all digits is rejected, even if its signature is valid: %j', async (text) => {
    expect(await reasonFor({ sign: signed(text).Sign, requestTime: text })).toBe('expired');
  });

  test('a delivery without Sign, without RequestTime or without both is rejected', async () => {
    const { Sign, RequestTime } = signed(receivedSeconds);
    expect(await reasonFor({})).toBe('badSignature');
    expect(await reasonFor({ sign: Sign })).toBe('badSignature');
    expect(await reasonFor({ requestTime: RequestTime })).toBe('badSignature');
  });

  test('two deliveries with the same Sign are both accepted', async () => {
    const { Sign, RequestTime } = signed(receivedSeconds);
    expect(await reasonFor({ sign: Sign, requestTime: RequestTime })).toBe('none');
    expect(await reasonFor({ sign: Sign, requestTime: RequestTime })).toBe('none');
  });
});
