import { isIP } from 'node:net';
import type { Request } from '@middy/core';
import { parseAllowList } from '../allow-list.ts';
import type { Delivery } from '../delivery.ts';
import { RejectedError } from '../outcomes.ts';

/** Rejects callers outside the allow-list. An empty list allows every caller. */
export function checkSourceAddress(allowedCidrs: readonly string[]) {
  const { list } = parseAllowList(allowedCidrs);
  return ({ event }: Request<Delivery>): void => {
    if (list === undefined) return;
    const address = event.requestContext.http.sourceIp;
    if (!list.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4')) {
      throw new RejectedError('wrongAddress', { detail: address });
    }
  };
}
