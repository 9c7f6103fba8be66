import { BlockList, isIP } from 'node:net';

/**
 * Parses an allow-list.
 *
 * @param cidrs IPv4 or IPv6 addresses and CIDR ranges.
 * @returns the list, which is undefined if `cidrs` is empty, and the malformed items.
 */
export function parseAllowList(cidrs: readonly string[]): { list: BlockList | undefined; malformed: string[] } {
  const list = cidrs.length === 0 ? undefined : new BlockList();
  const malformed = cidrs.filter((cidr) => {
    const [address = '', prefix, ...rest] = cidr.split('/');
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
    const bits = family === 'ipv6' ? 128 : 32;
    const length = prefix === undefined ? bits : Number(prefix);
    const isValid = isIP(address) !== 0 && rest.length === 0 && /^\d{1,3}$/.test(prefix ?? '0') && length <= bits;
    if (isValid) list?.addSubnet(address, length, family);
    return !isValid;
  });
  return { list, malformed };
}
