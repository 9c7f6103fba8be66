/** The host names of this machine, as in a URL. */
export const LOOPBACK_HOSTS: readonly string[] = ['127.0.0.1', 'localhost', '[::1]'];

/** Returns whether the URL leads to this machine. */
export function isLocal(url: URL): boolean {
  return LOOPBACK_HOSTS.includes(url.hostname);
}
