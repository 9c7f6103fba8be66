import { createServer } from 'node:http';
import { json } from 'node:stream/consumers';
import { listen, type Loopback } from './loopback.ts';

export interface SecretsManager extends Loopback {
  /** Makes this the secret's current version, and the one before its previous version, as PutSecretValue does. */
  put(secretId: string, value: string): void;
}

/**
 * The one Secrets Manager call that the function makes, answered on this machine.
 *
 * @see https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html
 */
export async function startSecretsManager(): Promise<SecretsManager> {
  const secrets = new Map<string, { AWSCURRENT: string; AWSPREVIOUS?: string }>();
  const server = createServer(async (request, response) => {
    const { SecretId, VersionStage = 'AWSCURRENT' } = (await json(request)) as {
      SecretId: string;
      VersionStage?: 'AWSCURRENT' | 'AWSPREVIOUS';
    };
    const value = secrets.get(SecretId)?.[VersionStage];
    const isRightCall = request.headers['x-amz-target'] === 'secretsmanager.GetSecretValue';
    const [status, body] = !isRightCall
      ? [400, { __type: 'InvalidRequestException', message: 'only GetSecretValue is answered here' }]
      : value === undefined
        ? [400, { __type: 'ResourceNotFoundException', message: `no ${VersionStage} version of ${SecretId}` }]
        : [200, { ARN: SecretId, Name: SecretId, SecretString: value, VersionStages: [VersionStage] }];
    response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' }).end(JSON.stringify(body));
  });
  return {
    ...(await listen(server, 0)),
    put(secretId, value) {
      const before = secrets.get(secretId)?.AWSCURRENT;
      secrets.set(secretId, { AWSCURRENT: value, ...(before !== undefined && { AWSPREVIOUS: before }) });
    },
  };
}
