import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

/** Creates a certificate for host names, with its key. @returns the two files. */
export function createCertificate(directory: string, ...hosts: string[]) {
  const files = { key: join(directory, 'key.pem'), cert: join(directory, 'cert.pem') };
  const names = hosts.map((host) => `DNS:${host}`).join();
  const options = `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=test`;
  const args = ['-keyout', files.key, '-out', files.cert, '-addext', `subjectAltName=${names}`];
  execFileSync('openssl', [...options.split(' '), ...args], { stdio: 'ignore' });
  return files;
}
