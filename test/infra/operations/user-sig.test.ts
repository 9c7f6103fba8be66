import { expect, test } from '@jest/globals';
import { userSig } from '../../../infra/operations/user-sig.ts';
import { decodeUserSig, KEY } from '../../chat-rest-server.ts';
import { SDK_APP_ID } from '../../delivery.ts';

/** Created with Tencent's tls-sig-api-v2 1.0.2 (npm), with the app and the key of its own test, at 1669872112. */
const VECTORS = [
  [
    'administrator',
    3600,
    'eJw1issKwjAQRf9ltkptaok14M4HYhetUZHuYjLKUFtDEkUQ-11o693dc84HDrmMXuhAQBLFMO4*GWwDXanDyjTUkg9OhYcbAm9qZS0ZECyNh-UmUIMgGOfzbJYwlvQU35Ycgpjyf*fpBgJMva50SsvdqhqV*0Ke5cTmp*xYym2xcdpyf8F7o33*TBfw-QGGizQF',
  ],
  [
    'xiaojun',
    15552000,
    'eJyrVgrxCdYrSy1SslIy0jNQ0gHzM1NS80oy0zLBwhWZiflZpXlQqeKU7MSCgswUJStDEwMogMiUZOamKlkZmplZWpgbGRoaQURTKwoyi0DipqamRnC1xZnpIJOzKg39HAsLitxN08yTfCq0c-JTg9INi-P9KotzsoxcXbITIy2zAp3K9fNtlWoBwTYzBg__',
  ],
  [
    '管理员',
    60,
    'eJyrVgrxCdYrSy1SslIy0jNQ0gHzM1NS80oy0zLBws-XLXw*oe3pxBlQyeKU7MSCgswUJStDEwMogMiUZOamKlkZmplZWpgbGRoaQURTKwoyi1KVrMygqooz05WslAxTvI38M-Irs80qTUK9kk0qjfKrnC08M518ykKyInJM-cP1Q3N90rKTiottlWoBY8Q0qw__',
  ],
] as const;

test.each(VECTORS)('the UserSig of %s is the same as from Tencent’s own library', (userId, validSeconds, expected) => {
  const sig = userSig(KEY, { sdkAppId: SDK_APP_ID, userId, time: 1669872112, validSeconds });
  // Compares the content instead of the bytes, because two versions of zlib may compress differently.
  expect(decodeUserSig(sig)).toEqual(decodeUserSig(expected));
  expect(sig).toMatch(/^[A-Za-z0-9*_-]+$/);
});
