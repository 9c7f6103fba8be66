import { describe, expect, test } from '@jest/globals';
import { verifySignature, sign } from '../../lambda/signature.ts';

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
    ['repeated with a comma', false, `${DOCUMENTED.sign},${DOCUMENTED.sign}`],
    ['without digits', false, ''],
    ['of the same number of characters, but more bytes', false, '名'.repeat(64)],
  ])('%s: %s', (_what, isRight, signature) => {
    expect(verifySignature(DOCUMENTED.token, signature, DOCUMENTED.requestTime)).toBe(isRight);
  });

  test('is wrong for another token or another time', () => {
    expect(verifySignature('xxxyyy', DOCUMENTED.sign, DOCUMENTED.requestTime)).toBe(false);
    expect(verifySignature(DOCUMENTED.token, DOCUMENTED.sign, '1669872113')).toBe(false);
  });
});
