/** Replaces a module of an npm package in the bundles. */
export interface Replacement {
  /** Path of the module below node_modules. */
  module: RegExp;
  /** The reason why the replacement is correct in a Lambda function. */
  reason: string;
  /**
   * Returns the new content of the module.
   *
   * @param source The original content.
   */
  contents(source: string): string;
}

/**
 * Modules of the AWS SDK that a Lambda function cannot reach or never needs: two fifths of the bundle. Each module is
 * removed or replaced as a whole. Code that runs for each request (endpoints, serialization, signing, retries, errors)
 * stays unchanged, because others have tested it. Patching it saved only 2 % of a cold start.
 *
 * The build fails if an updated SDK no longer loads one of these modules, or imports a name that the replacement lacks.
 */
export const REPLACEMENTS: readonly Replacement[] = [
  {
    module: /^@aws-sdk\/credential-provider-node\/dist-es\/index\.js$/,
    reason: 'a Lambda function has its credentials in the environment; the other providers contain five more clients',
    contents: () => `
      import { fromEnv } from '@aws-sdk/credential-provider-env';
      import { memoize } from '@smithy/core/config';
      export const defaultProvider = (init) => memoize(fromEnv(init));`,
  },
  {
    module: /^@smithy\/core\/dist-es\/submodules\/config\/node-config-provider\/fromSharedConfigFiles\.js$/,
    reason:
      'a Lambda function has no ~/.aws; each setting would look for it, and a developer’s files would change the local run',
    contents: () => `
      import { ProviderError } from '../property-provider/ProviderError';
      export const fromSharedConfigFiles = () => async () => {
        throw new ProviderError('no shared configuration files in a Lambda function', { tryNextLink: true });
      };`,
  },
  {
    module: /^@smithy\/core\/dist-es\/submodules\/event-streams\/index\.js$/,
    reason: 'no call of this project streams events, and the dynamic import prevents tree shaking',
    contents: () => `throw new Error('the bundle has no event streams: see infra/replacements.ts');`,
  },
  {
    module: /^@aws-sdk\/endpoint-cache\/dist-es\/index\.js$/,
    reason: 'the DynamoDB client creates an endpoint cache that its commands do not use',
    contents: () => 'export class EndpointCache {}',
  },
  {
    module: /^@aws-sdk\/client-[a-z-]+\/package\.json$/,
    reason: 'a client reads only its version, for the user agent',
    contents: (source) => JSON.stringify({ version: JSON.parse(source).version }),
  },
  {
    module: /^@smithy\/core\/dist-es\/submodules\/serde\/util-stream\/stream-type-check\.js$/,
    reason: 'bodies are text or Node streams, and the check for web streams makes Node load them',
    contents: () => `
      export const isReadableStream = () => false;
      export const isBlob = () => false;`,
  },
  {
    module: /^@smithy\/core\/dist-es\/submodules\/serde\/uuid\/v4\.js$/,
    reason: 'node:crypto also makes UUIDs, and using the global crypto makes Node load Web Crypto',
    contents: () => `
      import { randomUUID } from 'node:crypto';
      export const bindV4 = () => () => randomUUID();`,
  },
  {
    module: /^@smithy\/core\/dist-es\/submodules\/checksum\/sha256\/Sha256Js\.js$/,
    reason: 'a hash function in JavaScript, which Node does not need',
    contents: () => 'export class Sha256Js {}',
  },
  {
    module:
      /^@smithy\/core\/dist-es\/submodules\/config\/config-resolver\/regionConfig\/getInstanceMetadataRegion\.js$/,
    reason: 'a Lambda function has its region in the environment, and no instance metadata',
    contents: () => 'export const getInstanceMetadataRegion = async () => undefined;',
  },
];
