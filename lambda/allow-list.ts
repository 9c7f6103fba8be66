import { BlockList, isIP } from 'node:net';
import type { Request } from '@middy/core';
import type { Delivery } from './delivery.ts';
import { Refusal } from './outcomes.ts';

/** Lets only callers from the allow-list through; without a list, every caller. */
export function checkAddress(allowedCidrs: readonly string[]) {
  const { list } = addressList(allowedCidrs);
  return ({ event }: Request<Delivery>): void => {
    if (list === undefined) return;
    const address = event.requestContext.http.sourceIp;
    if (!list.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4')) {
      throw new Refusal('wrongAddress', { detail: address });
    }
  };
}

/**
 * @param cidrs addresses and CIDR ranges, IPv4 or IPv6.
 * @returns the list that they make, if there are any, and those of them that are neither an address nor a range.
 */
export function addressList(cidrs: readonly string[]): { list: BlockList | undefined; malformed: string[] } {
  const list = cidrs.length === 0 ? undefined : new BlockList();
  const malformed = cidrs.filter((cidr) => {
    const [address = '', prefix, ...rest] = cidr.split('/');
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
    const bits = family === 'ipv6' ? 128 : 32;
    const length = prefix === undefined ? bits : Number(prefix);
    const right = isIP(address) !== 0 && rest.length === 0 && /^\d{1,3}$/.test(prefix ?? '0') && length <= bits;
    if (right) list?.addSubnet(address, length, family);
    return !right;
  });
  return { list, malformed };
}
