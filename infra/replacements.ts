/** A module of a package that a bundle takes in another form. */
export interface Replacement {
  /** Its path below node_modules. */
  module: RegExp;
  /** What stands in its place, and why that is right in a Lambda. */
  reason: string;
  /** @param source what the package has there. */
  contents(source: string): string;
}

/**
 * The modules of the AWS SDK that a Lambda can't reach or never needs: two fifths of the bundle. Each is left out or
 * replaced whole. What runs for each request (endpoints, serialization, signing, retries, errors) is the SDK's own,
 * untouched: it is code that others have tested, and patching it saved 2 % of a cold start.
 *
 * The build stops where an update no longer loads one of these modules, or imports something from it that its
 * replacement lacks.
 */
export const REPLACEMENTS: readonly Replacement[] = [
  {
    module: /^@aws-sdk\/credential-provider-node\/dist-es\/index\.js$/,
    reason: 'a Lambda has its credentials in the environment; the chain’s other links hold five more clients',
    contents: () => `
      import { fromEnv } from '@aws-sdk/credential-provider-env';
      import { memoize } from '@smithy/core/config';
      export const defaultProvider = (init) => memoize(fromEnv(init));`,
  },
  {
    module: /^@smithy\/core\/dist-es\/submodules\/config\/node-config-provider\/fromSharedConfigFiles\.js$/,
    reason: 'a Lambda has no ~/.aws: every setting would look for it, and a developer’s own would change the local run',
    contents: () => `
      import { ProviderError } from '../property-provider/ProviderError';
      export const fromSharedConfigFiles = () => async () => {
        throw new ProviderError('no shared configuration files in a Lambda', { tryNextLink: true });
      };`,
  },
  {
    module: /^@smithy\/core\/dist-es\/submodules\/event-streams\/index\.js$/,
    reason: 'no call that is made here streams events, and their dynamic import stops tree shaking',
    contents: () => `throw new Error('the bundle has no event streams: see infra/replacements.ts');`,
  },
  {
    module: /^@aws-sdk\/endpoint-cache\/dist-es\/index\.js$/,
    reason: 'DynamoDB’s clients make an endpoint cache that their commands do not use',
    contents: () => 'export class EndpointCache {}',
  },
  {
    module: /^@aws-sdk\/client-[a-z-]+\/package\.json$/,
    reason: 'all that a client wants of it is its version, for the user agent',
    contents: (source) => JSON.stringify({ version: JSON.parse(source).version }),
  },
  {
    module: /^@smithy\/core\/dist-es\/submodules\/serde\/util-stream\/stream-type-check\.js$/,
    reason: 'bodies are text and Node’s own streams; asking whether one is a web stream makes Node load those',
    contents: () => `
      export const isReadableStream = () => false;
      export const isBlob = () => false;`,
  },
  {
    module: /^@smithy\/core\/dist-es\/submodules\/serde\/uuid\/v4\.js$/,
    reason: 'node:crypto makes UUIDs as well; naming the global crypto makes Node load Web Crypto',
    contents: () => `
      import { randomUUID } from 'node:crypto';
      export const bindV4 = () => () => randomUUID();`,
  },
  {
    module: /^@smithy\/core\/dist-es\/submodules\/checksum\/sha256\/Sha256Js\.js$/,
    reason: 'a hash in JavaScript, for where Node has none of its own',
    contents: () => 'export class Sha256Js {}',
  },
  {
    module:
      /^@smithy\/core\/dist-es\/submodules\/config\/config-resolver\/regionConfig\/getInstanceMetadataRegion\.js$/,
    reason: 'a Lambda has its region in the environment, and no instance metadata to ask',
    contents: () => 'export const getInstanceMetadataRegion = async () => undefined;',
  },
];
