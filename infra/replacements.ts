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
  {
    module: /^@smithy\/core\/dist-es\/submodules\/serde\/util-stream\/stream-type-check\.js$/,
    reason: 'bodies are text and Node’s own streams; to ask whether one is a web stream loads all of these',
    contents: () => `
      export const isReadableStream = () => false;
      export const isBlob = () => false;`,
  },
  {
    module: /^@smithy\/core\/dist-es\/submodules\/retry\/middleware-retry\/isStreamingPayload\/isStreamingPayload\.js$/,
    reason: 'the same',
    contents: () => 'export const isStreamingPayload = () => false;',
  },
  {
    module: /^@smithy\/core\/dist-es\/submodules\/serde\/uuid\/v4\.js$/,
    reason: 'node:crypto makes UUIDs; the global crypto, which is asked first, loads all of Web Crypto',
    contents: () => `
      import { randomUUID } from 'node:crypto';
      export const bindV4 = () => () => randomUUID();`,
  },
  {
    module: /^@smithy\/core\/dist-es\/submodules\/serde\/index\.js$/,
    reason: 'no random values are drawn, but to name the function that does loads all of Web Crypto',
    contents: (source) => replaceOnce(source, '= getRandomValues;', '= (array) => getRandomValues(array);'),
  },
  {
    module: /^@smithy\/core\/dist-es\/submodules\/checksum\/sha256\/Sha256Js\.js$/,
    reason: 'for where Node has no hash of its own',
    contents: () => 'export class Sha256Js {}',
  },
  {
    module:
      /^@smithy\/core\/dist-es\/submodules\/config\/config-resolver\/regionConfig\/getInstanceMetadataRegion\.js$/,
    reason: 'a Lambda has its region in the environment, and no instance metadata to ask',
    contents: () => 'export const getInstanceMetadataRegion = async () => undefined;',
  },
  {
    module: /^@aws-sdk\/client-[a-z-]+\/dist-es\/models\/errors\.js$/,
    reason: 'the same class, written out for each of the service’s errors: one maker makes them all',
    contents: foldErrors,
  },
  {
    module: /^@aws-sdk\/core\/dist-es\/submodules\/client\/middleware-user-agent\/user-agent-middleware\.js$/,
    reason: 'what it says of SDK, Node and Lambda is put together and escaped anew for each request: 1 % of a delivery',
    contents: (source) =>
      replaceOnce(
        source,
        '(await options.defaultUserAgentProvider()).map(escapeUserAgent)',
        `[...(await (options.escapedUserAgent ??=
          options.defaultUserAgentProvider().then((pairs) => pairs.map(escapeUserAgent))))]`,
      ),
  },
  {
    module: /^@smithy\/core\/dist-es\/submodules\/endpoints\/middleware-endpoint\/endpointMiddleware\.js$/,
    reason:
      'where a table, queue or secret is reached does not change, but each request finds it out anew: 5 % of a delivery',
    contents: (source) =>
      replaceEach(source, {
        '{ ...config }': 'config',
        'const getEndpointFromInstructions = bind': 'const findOut = bind',
        'return ({ config, instructions, }) => {': `return ({ config, instructions }) => {
          const endpoints = new Map();
          const ofInput = Object.values(instructions).map(({ type, name, get }) =>
            type === 'operationContextParams' ? get : type === 'contextParams' ? (input) => input[name] : () => '');
          const getEndpointFromInstructions = async (input, supplier, config, context) => {
            const key = JSON.stringify(ofInput.map((of) => of(input)));
            if (!endpoints.has(key)) endpoints.set(key, await findOut(input, supplier, { ...config }, context));
            return endpoints.get(key);
          };`,
      }),
  },
  {
    module: /^@smithy\/core\/dist-es\/submodules\/schema\/middleware\/schema(Des|S)erializationMiddleware\.js$/,
    reason: 'a copy of the whole configuration for each request and each answer: 2 % of a delivery',
    contents: (source) => replaceEach(source, { '...config,': '__proto__: config,' }),
  },
  {
    module: /^@aws-sdk\/core\/dist-es\/submodules\/httpAuthSchemes\/aws_sdk\/AwsSdkSigV4Signer\.js$/,
    reason: 'a signer and one more copy of the configuration for each request: 2 % of a delivery',
    contents: (source) =>
      replaceEach(source, {
        'await signerFunction(authScheme)': `await (authScheme === undefined
          ? (signers.get(config) ?? remember(config, signerFunction()))
          : signerFunction(authScheme))`,
        'const throwSigningPropertyError =': `const signers = new WeakMap();
          const remember = async (config, signer) => {
            signers.set(config, await signer);
            return signer;
          };
          const throwSigningPropertyError =`,
      }),
  },
];

/** @param parts what stands in the source once each, and what takes its place. */
function replaceEach(source: string, parts: Record<string, string>): string {
  return Object.entries(parts).reduce((changed, [part, by]) => replaceOnce(changed, part, by), source);
}

function replaceOnce(source: string, part: string, by: string): string {
  if (source.split(part).length !== 2) throw new Error(`'${part}' does not stand there once`);
  return source.replace(part, by);
}

/** Writes those of the SDK's classes of errors that are each like the next as calls of one function. */
function foldErrors(source: string): string {
  const [header = '', ...classes] = source.split(/^(?=export class )/m);
  const made = classes.map((code) => {
    const [, name = ''] = /^export class (\w+)/.exec(code) ?? [];
    const [, shapeId] = /static shapeId = "(.*?)"/.exec(code) ?? [];
    const [, fault] = /\$fault = "(\w+)"/.exec(code) ?? [];
    const members = [...code.matchAll(/^ {4}(\w+);$/gm)].map(([, member]) => member);
    const expected = [
      `export class ${name} extends __BaseException {`,
      `    static shapeId = "${shapeId}";`,
      `    name = "${name}";`,
      `    $fault = "${fault}";`,
      ...members.map((member) => `    ${member};`),
      `    constructor(opts) {`,
      `        super({`,
      `            name: "${name}",`,
      `            $fault: "${fault}",`,
      `            ...opts,`,
      `        });`,
      `        Object.setPrototypeOf(this, ${name}.prototype);`,
      ...members.map((member) => `        this.${member} = opts.${member};`),
      `    }`,
      `}`,
    ].join('\n');
    if (code.trimEnd() !== expected) return code; // one of its own kind
    return `export const ${name} = make(${[name, shapeId, fault, ...members].map((text) => JSON.stringify(text)).join()});`;
  });
  return `${header}
    const make = (name, shapeId, $fault, ...members) => class extends __BaseException {
      static shapeId = shapeId;
      constructor(opts) {
        super({ name, $fault, ...opts });
        Object.setPrototypeOf(this, new.target.prototype);
        Object.assign(this, { name, $fault });
        for (const member of members) this[member] = opts[member];
      }
    };
    ${made.join('\n')}`;
}
