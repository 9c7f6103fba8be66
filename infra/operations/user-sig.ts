import { createHmac } from 'node:crypto';
import { deflateSync } from 'node:zlib';

/** The user and the period for which a UserSig is valid. */
export interface SigClaims {
  sdkAppId: string;
  userId: string;
  /** Unix seconds. */
  time: number;
  validSeconds: number;
}

/**
 * Creates a UserSig, which proves to Chat that the caller is this user of the app. The UserSig of an administrator
 * gives access to the whole REST API.
 *
 * @param key of the app, from the Chat console.
 * @see https://www.tencentcloud.com/document/product/1047/34385 "Generating UserSig"
 * @see https://github.com/tencentyun/tls-sig-api-v2-node
 */
export function userSig(key: string, { sdkAppId, userId, time, validSeconds }: SigClaims): string {
  const signed = `TLS.identifier:${userId}\nTLS.sdkappid:${sdkAppId}\nTLS.time:${time}\nTLS.expire:${validSeconds}\n`;
  const document = {
    'TLS.ver': '2.0',
    'TLS.identifier': userId,
    'TLS.sdkappid': Number(sdkAppId),
    'TLS.time': time,
    'TLS.expire': validSeconds,
    'TLS.sig': createHmac('sha256', key).update(signed).digest('base64'),
  };
  const base64 = deflateSync(JSON.stringify(document)).toString('base64');
  // Tencent's own variant of base64url.
  return base64.replaceAll('+', '*').replaceAll('/', '-').replaceAll('=', '_');
}
