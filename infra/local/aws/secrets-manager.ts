import { awsJsonServer, ServiceError } from './aws-json.ts';
import { listen, type Loopback } from './loopback.ts';

export interface SecretsManager extends Loopback {
  /** Stores a new current version, as PutSecretValue does. The version before becomes the previous one. */
  put(secretId: string, value: string): void;
}

/**
 * Starts a local Secrets Manager with the only operation that the functions call.
 *
 * @see https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html
 */
export async function startSecretsManager(): Promise<SecretsManager> {
  const secrets = new Map<string, { AWSCURRENT: string; AWSPREVIOUS?: string }>();
  const server = awsJsonServer({
    'secretsmanager.GetSecretValue': ({ SecretId = '', VersionStage = 'AWSCURRENT' }) => {
      const value = secrets.get(SecretId)?.[VersionStage as 'AWSCURRENT' | 'AWSPREVIOUS'];
      if (value !== undefined)
        return { ARN: SecretId, Name: SecretId, SecretString: value, VersionStages: [VersionStage] };
      throw new ServiceError('ResourceNotFoundException', `no ${VersionStage} version of ${SecretId}`);
    },
  });
  return {
    ...(await listen(server, 0)),
    put(secretId, value) {
      const before = secrets.get(secretId)?.AWSCURRENT;
      secrets.set(secretId, { AWSCURRENT: value, ...(before !== undefined && { AWSPREVIOUS: before }) });
    },
  };
}
