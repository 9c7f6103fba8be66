import {
  GetSecretValueCommand,
  ResourceNotFoundException,
  type SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import { TOKEN_LIMITS, withTimeout } from './limits.ts';
import { verifySignature } from './signature.ts';

/** The pause between two reads after a mismatch: strangers, who can send wrong Signs at will, must not cause more. */
const REREAD_MS = 60_000;

/** The same after a read that failed: until one succeeds, a new token's deliveries can't be told from a stranger's. */
const RETRY_MS = 2_000;

/** The age at which the token is read again although it matches: a token that has leaked is replaced. */
const REFRESH_MS = 5 * 60_000;

/** The token that the Chat console signs with, as this instance knows it. */
export interface WebhookToken {
  /** Reads the token's current version, with which nearly all is signed. @throws when it can't be read. */
  load(): Promise<void>;
  /**
   * Whether one of the token's accepted versions gives this Sign. On a mismatch the token is read again with its
   * previous version, at most once a minute, or once in two seconds after a read that failed, so that a new token works
   * without a deploy. On a match it is read again where that was five minutes ago, so that an old one stops working;
   * where it can't be read, what is known stays good. Either way the delivery waits for the end of the read: Lambda
   * freezes an instance that has replied, and a read that it freezes would fail when the instance goes on, for a later
   * delivery.
   *
   * @throws when the token can't be read, since a mismatch then says nothing.
   */
  verify(signature: string, requestTime: string): Promise<boolean>;
}

/** Gives the current version of the token, or all that are accepted. */
export type ReadVersions = (which: 'current' | 'all') => Promise<readonly string[]>;

/** @param now Unix time in milliseconds. */
export function webhookToken(readVersions: ReadVersions, now: () => number = Date.now): WebhookToken {
  let versions: readonly string[] = [];
  let successTime = -Infinity;
  let triedAllTime = -Infinity;
  let pauseMs = REREAD_MS;
  let readingAll: Promise<void> | undefined;
  let lastReadAll: Promise<void> | undefined;

  async function read(which: 'current' | 'all'): Promise<void> {
    versions = await readVersions(which);
    successTime = now();
  }

  async function tryToReadAll(): Promise<void> {
    pauseMs = RETRY_MS;
    try {
      await read('all');
      pauseMs = REREAD_MS;
    } finally {
      readingAll = undefined;
      triedAllTime = now();
    }
  }

  function readAll(): Promise<void> {
    readingAll ??= tryToReadAll();
    lastReadAll = readingAll;
    return readingAll;
  }

  return {
    load: () => read('current'),
    async verify(signature, requestTime) {
      const matches = () => versions.some((token) => verifySignature(token, signature, requestTime));
      const triedFor = now() - triedAllTime;
      if (matches()) {
        if (now() - successTime < REFRESH_MS || triedFor < REREAD_MS) return true;
        try {
          await readAll();
        } catch {
          return true;
        }
        return matches();
      }
      // Without any version no delivery can get through, so every one of them may try.
      const isFresh = versions.length > 0 && triedFor < pauseMs;
      // The last read is awaited even where it is over: if it failed, a mismatch proves nothing, and that is thrown.
      await (isFresh ? lastReadAll : readAll());
      return matches();
    },
  };
}

/**
 * Reads the token from Secrets Manager: its current version and, where it is wanted and there, the version before,
 * with which Chat goes on signing until the new one is in the console.
 */
export function secretVersions(client: SecretsManagerClient, secretArn: string): ReadVersions {
  const read = async (stage: 'AWSCURRENT' | 'AWSPREVIOUS') => {
    const { SecretString } = await client.send(new GetSecretValueCommand({ SecretId: secretArn, VersionStage: stage }));
    return SecretString;
  };
  const readCurrent = async () => {
    const current = await read('AWSCURRENT');
    // An empty token would make every stranger's signature right.
    if (!current) throw new Error(`the secret ${secretArn} holds no text: put the webhook token there`);
    return current;
  };
  const readPrevious = async () => {
    try {
      const previous = await read('AWSPREVIOUS');
      return previous ? [previous] : [];
    } catch (error) {
      if (error instanceof ResourceNotFoundException) return [];
      throw error;
    }
  };
  return async (which) => {
    const reads = [readCurrent(), which === 'all' ? readPrevious() : []] as const;
    const [current, previous] = await withTimeout(TOKEN_LIMITS, Promise.all(reads), () => client.destroy());
    return [current, ...previous];
  };
}
