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
 * What the AWS SDK brings along that a Lambda never uses: two fifths of the bundle, a fifth of what a cold start executes.
 * Whatever else changes there, the build stops where one of these modules is no longer loaded, or where something is
 * imported from it that its replacement lacks.
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
    reason: 'no call that is made here streams events; that they are imported dynamically stops tree shaking',
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
];
