import { describe, expect, test } from '@jest/globals';
import { checkSignature, isSignedBy, sign } from '../../lambda/signature.ts';
import { webhookToken } from '../../lambda/token.ts';
import { RECEIVED, request, signed, TOKEN } from '../delivery.ts';

// Printed at https://www.tencentcloud.com/document/product/1047/34354
const DOCUMENTED = {
  token: 'xxxxyyyy',
  requestTime: '1669872112',
  sign: '17773bc39a671d7b9aa835458704d2a6db81360a5940292b587d6d760d484061',
};

test('the documented token and request time give the documented digest', () => {
  expect(sign(DOCUMENTED.token, DOCUMENTED.requestTime)).toBe(DOCUMENTED.sign);
});

describe('a Sign', () => {
  test.each([
    ['as documented', true, DOCUMENTED.sign],
    ['in upper case', true, DOCUMENTED.sign.toUpperCase()],
    ['with one wrong digit', false, `27773${DOCUMENTED.sign.slice(5)}`],
    ['with its last digit wrong', false, `${DOCUMENTED.sign.slice(0, -1)}2`],
    ['one digit short', false, DOCUMENTED.sign.slice(0, -1)],
    ['one digit long', false, `${DOCUMENTED.sign}0`],
    ['that comes twice', false, `${DOCUMENTED.sign},${DOCUMENTED.sign}`],
    ['that is empty', false, ''],
    ['of as many characters, but more bytes', false, '名'.repeat(64)],
  ])('%s: %s', (_what, isRight, signature) => {
    expect(isSignedBy(DOCUMENTED.token, signature, DOCUMENTED.requestTime)).toBe(isRight);
  });

  test('is not right for another token or another time', () => {
    expect(isSignedBy('xxxyyy', DOCUMENTED.sign, DOCUMENTED.requestTime)).toBe(false);
    expect(isSignedBy(DOCUMENTED.token, DOCUMENTED.sign, '1669872113')).toBe(false);
  });
});

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
  ])('a RequestTime %d s from the receipt is refused for: %s', async (seconds, reason) => {
    const { Sign, RequestTime } = signed(receivedSeconds + seconds);
    expect(await reasonFor({ sign: Sign, requestTime: RequestTime })).toBe(reason);
  });

  test.each(['', 'now', '0x63888df0', 'Infinity'])(
    'a signed RequestTime that is no time is refused: %j',
    async (text) => {
      expect(await reasonFor({ sign: signed(text).Sign, requestTime: text })).toBe('expired');
    },
  );

  test('a delivery without Sign, without RequestTime or without both is refused', async () => {
    const { Sign, RequestTime } = signed(receivedSeconds);
    expect(await reasonFor({})).toBe('badSignature');
    expect(await reasonFor({ sign: Sign })).toBe('badSignature');
    expect(await reasonFor({ requestTime: RequestTime })).toBe('badSignature');
  });

  test('two deliveries with the same Sign are both let through', async () => {
    const { Sign, RequestTime } = signed(receivedSeconds);
    expect(await reasonFor({ sign: Sign, requestTime: RequestTime })).toBe('none');
    expect(await reasonFor({ sign: Sign, requestTime: RequestTime })).toBe('none');
  });
});
