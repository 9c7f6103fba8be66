import { execFileSync } from 'node:child_process';
import { isIP } from 'node:net';
import { join } from 'node:path';

/** Creates a certificate of the same kind as those of AWS for host names and addresses. @returns the two files. */
export function createCertificate(directory: string, ...hosts: string[]) {
  const files = { key: join(directory, 'key.pem'), cert: join(directory, 'cert.pem') };
  const names = hosts.map((host) => `${isIP(host) ? 'IP' : 'DNS'}:${host}`).join();
  const options = 'req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=test';
  const args = ['-keyout', files.key, '-out', files.cert, '-addext', `subjectAltName=${names}`];
  execFileSync('openssl', [...options.split(' '), ...args], { stdio: 'ignore' });
  return files;
}
