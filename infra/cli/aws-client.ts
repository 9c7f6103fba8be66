import type { DynamoDBClientConfig } from '@aws-sdk/client-dynamodb';
import { defaultProvider } from '@aws-sdk/credential-provider-node';
import type { Limits } from '../../lambda/limits.ts';
import { clientSettings } from '../../lambda/sdk-client.ts';
import { createAgents } from './http.ts';

/** Settings that every SDK client accepts. */
export type AwsClientSettings = Pick<
  DynamoDBClientConfig,
  'region' | 'endpoint' | 'credentials' | 'credentialDefaultProvider' | 'requestHandler' | 'maxAttempts' | 'retryMode'
>;

/**
 * Returns the settings of a client whose calls go through the proxy of the environment.
 *
 * @param limits of its calls, as in the functions; by default those of the SDK.
 */
export function awsClientSettings(settings: AwsClientSettings, limits?: Limits): AwsClientSettings {
  const { requestHandler, ...others } = limits === undefined ? {} : clientSettings(limits);
  const { 'http:': httpAgent, 'https:': httpsAgent } = createAgents();
  const agents = { httpAgent, httpsAgent };
  return {
    ...others,
    requestHandler: { ...requestHandler, ...agents },
    // The SDK does not pass the agents on to the clients of SSO, which get the credentials.
    credentialDefaultProvider: (init: object) => defaultProvider({ ...init, clientConfig: { requestHandler: agents } }),
    ...settings,
  };
}
