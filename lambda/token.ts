import {
  GetSecretValueCommand,
  ResourceNotFoundException,
  type SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import { TOKEN_LIMITS, withinTotal } from './limits.ts';
import { isSignedBy } from './signature.ts';

/** A wrong Sign costs nothing to send: strangers must not be able to make us call Secrets Manager at will. */
const REREAD_MS = 60_000;

/** A token that has leaked is replaced: an instance that sees it used all the time must hear of that as well. */
const MAX_AGE_MS = 5 * 60_000;

/** What a delivery whose signature is right may wait for that. */
const FRESHENING_LIMITS = { totalMs: 250 };

/** The token that the Chat console signs with, as this instance knows it. */
export interface WebhookToken {
  /** Reads the token. @throws when it can't be read. */
  load(): Promise<void>;
  /**
   * Whether one of the token's accepted versions gives this Sign. On a mismatch the token is read again,
   * at most once a minute, so that a new token works without a deploy. On a match it is read again where
   * that was five minutes ago, so that an old one stops working; where it can't be read, what is known stays good.
   *
   * @throws when the token can't be read, since a mismatch then says nothing.
   */
  hasSigned(signature: string, requestTime: string): Promise<boolean>;
}

/**
 * @param readVersions gives the accepted versions of the token.
 * @param now Unix time in milliseconds.
 */
export function webhookToken(
  readVersions: () => Promise<readonly string[]>,
  now: () => number = Date.now,
): WebhookToken {
  let versions: readonly string[] = [];
  let readTime = -Infinity;
  let successTime = -Infinity;
  let lastRead: Promise<void> | undefined;
  let reading = false;

  function load(): Promise<void> {
    if (reading && lastRead !== undefined) return lastRead;
    reading = true;
    lastRead = (async () => {
      try {
        versions = await readVersions();
        successTime = now();
      } finally {
        reading = false;
        readTime = now();
      }
    })();
    return lastRead;
  }

  return {
    load,
    async hasSigned(signature, requestTime) {
      const matches = () => versions.some((token) => isSignedBy(token, signature, requestTime));
      const mayReread = now() - readTime >= REREAD_MS;
      if (matches()) {
        if (now() - successTime < MAX_AGE_MS || !mayReread) return true;
        try {
          await withinTotal(FRESHENING_LIMITS, load());
        } catch {
          return true;
        }
        return matches();
      }
      // Without any version no delivery can get through, so every one of them may try.
      const isFresh = versions.length > 0 && !mayReread;
      // The last read is awaited even where it is over: if it failed, a mismatch proves nothing, and that is thrown.
      await (isFresh ? lastRead : load());
      return matches();
    },
  };
}

/**
 * Reads the token from Secrets Manager: its current version and, where there is one, the version before,
 * with which Chat goes on signing until the new one is in the console.
 */
export function secretVersions(client: SecretsManagerClient, secretArn: string): () => Promise<string[]> {
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
  return async () => {
    const [current, previous] = await withinTotal(TOKEN_LIMITS, Promise.all([readCurrent(), readPrevious()]), client);
    return [current, ...previous];
  };
}
