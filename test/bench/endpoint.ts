import { execFileSync, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { EXAMPLE_TOKEN } from '../../infra/local/chat.ts';
import type { Requests } from './endpoint-process.ts';

export interface Endpoint {
  url: string;
  /** The endpoint's own certificate, which a function must be told to trust. */
  certificateFile: string;
  /** What was asked since the last call, by operation. */
  takeRequests(): Promise<Requests>;
  stop(): Promise<void>;
}

/**
 * Starts what stands for DynamoDB, Secrets Manager and SQS, with TLS as in AWS: without it a cold start lacks one of
 * its largest parts.
 *
 * @param directory where to keep key and certificate.
 * @param token what Secrets Manager has.
 */
export async function startEndpoint(directory: string, token = EXAMPLE_TOKEN): Promise<Endpoint> {
  const { keyFile, certificateFile } = selfSigned(directory);
  const child = fork(join(import.meta.dirname, 'endpoint-process.ts'), [keyFile, certificateFile, token], {
    execArgv: [],
  });
  const [port] = (await Promise.race([
    once(child, 'message'),
    once(child, 'exit').then(() => Promise.reject(new Error("the endpoint's process ended"))),
  ])) as [number];
  return {
    url: `https://127.0.0.1:${port}`,
    certificateFile,
    async takeRequests() {
      child.send('requests');
      const [requests] = await once(child, 'message');
      return requests as Requests;
    },
    async stop() {
      const ended = once(child, 'exit');
      child.disconnect();
      await ended;
    },
  };
}

/** RSA of 2,048 bits, as AWS's own certificates. Node can't make certificates. */
function selfSigned(directory: string) {
  const keyFile = join(directory, 'key.pem');
  const certificateFile = join(directory, 'certificate.pem');
  const request = ['req', '-x509', '-newkey', 'rsa:2048', '-noenc', '-days', '2', '-subj', '/CN=bench'];
  const names = ['-addext', 'subjectAltName=IP:127.0.0.1'];
  try {
    execFileSync('openssl', [...request, ...names, '-keyout', keyFile, '-out', certificateFile], { stdio: 'pipe' });
  } catch (error) {
    throw new Error('the bench needs openssl 3 for its certificate', { cause: error });
  }
  return { keyFile, certificateFile };
}
