import { defaultProvider } from '@aws-sdk/credential-provider-node';
import type { Limits } from '../../lambda/limits.ts';
import { clientSettings } from '../../lambda/sdk-client.ts';
import { createAgents } from './http.ts';

/**
 * Returns the settings of an SDK client whose calls go through the proxy of the environment.
 *
 * @param limits of its calls, as in the functions; by default those of the SDK.
 */
export function awsClientSettings(limits?: Limits) {
  const { 'http:': httpAgent, 'https:': httpsAgent } = createAgents();
  const agents = { httpAgent, httpsAgent };
  const { requestHandler, ...others } = limits === undefined ? {} : clientSettings(limits);
  return {
    ...others,
    requestHandler: { ...requestHandler, ...agents },
    // The SDK does not pass the agents on to the clients of SSO, which get the credentials.
    credentialDefaultProvider: (init: object) => defaultProvider({ ...init, clientConfig: { requestHandler: agents } }),
  };
}
