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

  test.each([0, 60, -60])('a RequestTime %d s from the receipt is accepted', async (seconds) => {
    const { Sign, RequestTime } = signed(receivedSeconds + seconds);
    expect(await reasonFor({ sign: Sign, requestTime: RequestTime })).toBe('none');
  });

  test.each([
    [61, 'RequestTime is 61 s after the receipt'],
    [-61, 'RequestTime is 61 s before the receipt'],
    [86_400, 'RequestTime is 86400 s after the receipt'],
  ])('a RequestTime %d s from the receipt is rejected', async (seconds, detail) => {
    const { Sign, RequestTime } = signed(receivedSeconds + seconds);
    const error = { reason: 'expired', detail };
    const delivery = request(({ query }) => Object.assign(query, { sign: Sign, requestTime: RequestTime }));
    await expect(check(delivery as never)).rejects.toMatchObject(error);
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
