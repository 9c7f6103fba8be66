import {
  GetSecretValueCommand,
  ResourceNotFoundException,
  type SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import { TOKEN_LIMITS, withTimeout } from './limits.ts';
import { verifySignature } from './signature.ts';

/**
 * Minimum time from the end of a read of both versions to the next such read, because strangers can cause reads. For a
 * mismatch after a failed read, it is RETRY_MS.
 */
const REREAD_MS = 60_000;

/**
 * Pause between a failed read and the next one for a mismatch. It is short, because a new token cannot be verified
 * until a read succeeds.
 */
const RETRY_MS = 2_000;

/** If the last successful read is older, a matching Sign also causes a read, so that removed versions stop working. */
const REFRESH_MS = 5 * 60_000;

/** The webhook token of the Chat console, as this instance knows it. */
export interface WebhookToken {
  /** Reads the current version of the token. @throws if it can't be read. */
  load(): Promise<void>;
  /**
   * Returns whether an accepted version of the token gives this Sign.
   *
   * - Mismatch: reads the current and the previous version, so that a new token works without a deployment. The next
   *   mismatch reads again after a minute at the earliest, or after 2 seconds if this read fails. If no version is
   *   known, every delivery reads.
   * - Match: reads them if the last successful read is 5 minutes old, so that removed versions stop working.
   *   If the read fails, the known versions stay valid, and the next match after a minute reads again.
   *
   * The delivery always waits for the end of the read. Lambda freezes an instance after its reply. Therefore, a read in
   * the background would fail during a later delivery.
   *
   * @throws if there is a mismatch and the token can't be read, because the mismatch then proves nothing.
   */
  verify(signature: string, requestTime: string): Promise<boolean>;
}

/** Reads the current version of the token, or both the current and the previous version. */
export type ReadVersions = (which: 'current' | 'both') => Promise<readonly string[]>;

/** Versions of the token that this instance accepts. */
interface KnownVersions {
  values: readonly string[];
  readTime: number;
}

/** The last read of both versions. */
interface FullRead {
  state: 'running' | 'succeeded' | 'failed';
  /** Infinity while the read is running. */
  endTime: number;
  result: Promise<void>;
}

/** @param now Unix time in milliseconds. */
export function webhookToken(readVersions: ReadVersions, now: () => number = Date.now): WebhookToken {
  let known: KnownVersions = { values: [], readTime: -Infinity };
  let fullRead: FullRead = { state: 'succeeded', endTime: -Infinity, result: Promise.resolve() };

  async function read(which: 'current' | 'both'): Promise<void> {
    known = { values: await readVersions(which), readTime: now() };
  }

  /** Starts a read of both versions, or joins the one that another call of `verify` has started. */
  function readBoth(): Promise<void> {
    if (fullRead.state === 'running') return fullRead.result;
    const started: FullRead = { state: 'running', endTime: Infinity, result: read('both') };
    fullRead = started;
    const end = (state: 'succeeded' | 'failed') => () => Object.assign(started, { state, endTime: now() });
    void started.result.then(end('succeeded'), end('failed'));
    return started.result;
  }

  return {
    load: () => read('current'),
    async verify(signature, requestTime) {
      const matches = () => known.values.some((token) => verifySignature(token, signature, requestTime));
      const sinceFullReadMs = now() - fullRead.endTime; // negative while a read is running
      if (matches()) {
        const isFresh = now() - known.readTime < REFRESH_MS;
        if (isFresh || sinceFullReadMs < REREAD_MS) return true;
        try {
          await readBoth();
        } catch {
          return true;
        }
        return matches();
      }
      // Without a version no delivery can be verified: each of them tries to read.
      const isTooSoon =
        known.values.length > 0 && sinceFullReadMs < (fullRead.state === 'failed' ? RETRY_MS : REREAD_MS);
      // The last read is awaited even if it has ended: if it has failed, the mismatch proves nothing, and this throws.
      await (isTooSoon ? fullRead.result : readBoth());
      return matches();
    },
  };
}

/**
 * Returns why a secret is not usable as the token, as the end of a sentence. With an empty token, anybody could sign.
 */
export function tokenProblem(secret: string | undefined): string | undefined {
  if (!secret) return 'is empty: store the token of the Chat console there';
  if (/^\s*\{/.test(secret)) return 'contains JSON: store only the token of the Chat console there, as plain text';
  return undefined;
}

/**
 * Reads the token from Secrets Manager: the current version and, if requested, the previous one. Until the new token is
 * in the console, Chat signs with the previous version.
 */
export function secretVersions(client: SecretsManagerClient, secretArn: string): ReadVersions {
  const read = async (stage: 'AWSCURRENT' | 'AWSPREVIOUS') => {
    const { SecretString } = await client.send(new GetSecretValueCommand({ SecretId: secretArn, VersionStage: stage }));
    return SecretString;
  };
  const readCurrent = async () => {
    const current = await read('AWSCURRENT');
    const problem = tokenProblem(current);
    if (problem !== undefined) throw new Error(`the secret ${secretArn} ${problem}`);
    return current ?? '';
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
    const reads = [readCurrent(), which === 'both' ? readPrevious() : []] as const;
    const [current, previous] = await withTimeout(TOKEN_LIMITS, Promise.all(reads), () => client.destroy());
    return [current, ...previous];
  };
}
