import {
  GetSecretValueCommand,
  ResourceNotFoundException,
  type SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import { TOKEN_LIMITS, withTimeout } from './limits.ts';
import { verifySignature } from './signature.ts';

/**
 * Minimum time between two reads of all versions, because strangers can cause reads. If the last read has failed, a
 * mismatch may read again after RETRY_MS.
 */
const REREAD_MS = 60_000;

/** Pause after a failed read. It is shorter, because a new token cannot be verified until a read succeeds. */
const RETRY_MS = 2_000;

/** Age of the last successful read after which a match also reads, so that an old token stops working. */
const REFRESH_MS = 5 * 60_000;

/** The webhook token of the Chat console, as this instance knows it. */
export interface WebhookToken {
  /** Reads the current version of the token. @throws if it can't be read. */
  load(): Promise<void>;
  /**
   * Returns whether an accepted version of the token gives this Sign.
   *
   * - Mismatch: reads the current and the previous version, so that a new token works without a deployment. This
   *   happens at most once a minute, every 2 seconds after a failed read, and always if no version is known.
   * - Match: reads them if the last successful read is 5 minutes old, so that an old token stops working. If the read
   *   fails, the known versions stay valid, and the next match after a minute reads again.
   *
   * The delivery always waits for the end of the read. Lambda freezes an instance after its reply, so that a read in
   * the background would fail during a later delivery.
   *
   * @throws if there is a mismatch and the token can't be read, because the mismatch then proves nothing.
   */
  verify(signature: string, requestTime: string): Promise<boolean>;
}

/** Reads the current version of the token, or all accepted versions. */
export type ReadVersions = (which: 'current' | 'all') => Promise<readonly string[]>;

/** Versions of the token that this instance accepts. */
interface KnownVersions {
  values: readonly string[];
  readTime: number;
}

/** The newest read of all versions. */
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

  async function read(which: 'current' | 'all'): Promise<void> {
    known = { values: await readVersions(which), readTime: now() };
  }

  /** Starts a read of all versions, or joins the running one. */
  function readAll(): Promise<void> {
    if (fullRead.state === 'running') return fullRead.result;
    const started: FullRead = { state: 'running', endTime: Infinity, result: read('all') };
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
          await readAll();
        } catch {
          return true;
        }
        return matches();
      }
      // Without a version no delivery can be verified: each of them tries to read.
      const isTooSoon =
        known.values.length > 0 && sinceFullReadMs < (fullRead.state === 'failed' ? RETRY_MS : REREAD_MS);
      // The last read is awaited even if it has ended: if it has failed, the mismatch proves nothing, and this throws.
      await (isTooSoon ? fullRead.result : readAll());
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
 * Reads the token from Secrets Manager: the current version and, if requested, the previous one. Chat signs with the
 * previous version until the new one is in the console.
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
    const reads = [readCurrent(), which === 'all' ? readPrevious() : []] as const;
    const [current, previous] = await withTimeout(TOKEN_LIMITS, Promise.all(reads), () => client.destroy());
    return [current, ...previous];
  };
}
