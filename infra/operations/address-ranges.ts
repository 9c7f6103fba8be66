import { isIP } from 'node:net';

/** The addresses from first to last, both included, as IPv6. */
interface Range {
  first: bigint;
  last: bigint;
}

/**
 * Compares two lists of valid addresses and CIDR ranges. A range may be covered by several smaller ones together.
 *
 * @returns the entries of `cidrs` that `by` does not cover completely.
 */
export function notCovered(cidrs: readonly string[], by: readonly string[]): string[] {
  const covers = by.map(rangeOf).toSorted((a, b) => (a.first < b.first ? -1 : 1));
  return cidrs.filter((cidr) => {
    const { first, last } = rangeOf(cidr);
    let next = first;
    for (const cover of covers) {
      if (cover.first <= next && cover.last >= next) next = cover.last + 1n;
    }
    return next <= last;
  });
}

function rangeOf(cidr: string): Range {
  const [address = '', prefix] = cidr.split('/');
  const [bits, ipv6] = isIP(address) === 4 ? [32, `::ffff:${address}`] : [128, address];
  const size = 1n << BigInt(bits - Number(prefix ?? bits));
  const number = numberOf(ipv6);
  const first = number - (number % size);
  return { first, last: first + size - 1n };
}

function numberOf(ipv6: string): bigint {
  // URL normalizes the address: no IPv4 part and no leading zeros.
  const [before = '', after] = new URL(`http://[${ipv6}]`).hostname.slice(1, -1).split('::');
  const groups = (text: string) => (text === '' ? [] : text.split(':'));
  const [head, tail] = [groups(before), groups(after ?? '')];
  const zeros = Array<string>(8 - head.length - tail.length).fill('0');
  return [...head, ...zeros, ...tail].reduce((number, group) => number * 65_536n + BigInt(`0x${group}`), 0n);
}
