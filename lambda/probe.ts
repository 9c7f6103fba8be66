import { setTimeout as sleep } from 'node:timers/promises';
import { Logger } from '@aws-lambda-powertools/logger';
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { probeVariables, readConfig } from './config.ts';
import { CHAT_TIMEOUT_MS, BACKGROUND_LIMITS } from './limits.ts';
import { REASONS } from './outcomes.ts';
import { clientSettings } from './sdk-client.ts';
import { sign, redactSign } from './signature.ts';
import { tokenProblem } from './token.ts';

const { serviceName, sdkAppId, webhookUrl, tokenSecretArn } = readConfig(probeVariables(), process.env);
const logger = new Logger({ serviceName });
const secretsManager = new SecretsManagerClient(clientSettings(BACKGROUND_LIMITS));

/** Number of attempts, so that a short disturbance does not raise the alarm. */
const ATTEMPTS = 2;
const PAUSE_MS = 1_000;

/**
 * Calls the public URL of the receiver like the console's Verify button: signed and without a command, so that nothing
 * is stored. An unhandled command would not work, because the reply to it is OK even if the token is wrong.
 *
 * @throws if both attempts fail: no token, no answer within the time that Chat waits, or a FAIL for another reason than
 * the address. The error raises the alarm.
 */
export async function handler(): Promise<void> {
  const url = new URL(webhookUrl);
  for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
    if (attempt > 1) await sleep(PAUSE_MS);
    try {
      const token = tokenSecretArn === undefined ? undefined : await readToken(tokenSecretArn);
      logger.info('probe', { ms: await probe(url, token) });
      return;
    } catch (error) {
      logger.warn('probe', { attempt, error: (error as Error).message });
    }
  }
  throw new Error('the receiver is not healthy: see the previous log lines');
}

async function readToken(secretArn: string): Promise<string> {
  const { SecretString } = await secretsManager.send(new GetSecretValueCommand({ SecretId: secretArn }));
  const problem = tokenProblem(SecretString);
  if (problem !== undefined) throw new Error(`the secret ${problem}`);
  return SecretString ?? '';
}

/** @returns the response time in milliseconds. */
async function probe(url: URL, token: string | undefined): Promise<number> {
  const requestTime = String(Math.floor(Date.now() / 1000));
  const parameters = {
    SdkAppid: sdkAppId,
    contenttype: 'json',
    ...(token !== undefined && { Sign: sign(token, requestTime), RequestTime: requestTime }),
  };
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  const start = performance.now();
  const answer = await fetch(url, { method: 'POST', signal: AbortSignal.timeout(CHAT_TIMEOUT_MS), redirect: 'error' })
    .then(async (response) => ({ status: response.status, body: await response.text() }))
    .catch((error: Error & { cause?: { code?: string } }) => {
      throw new Error(`no answer: ${error.cause?.code ?? error.name}`); // the error may contain the URL with Sign
    });
  if (!isHealthy(answer))
    throw new Error(`answered HTTP ${answer.status} ${redactSign(answer.body, url).slice(0, 200)}`);
  return Math.round(performance.now() - start);
}

/**
 * Returns whether the receiver is healthy. A rejected address also counts, because it shows that the signature passed.
 */
function isHealthy({ status, body }: { status: number; body: string }): boolean {
  try {
    const { ActionStatus, ErrorCode } = JSON.parse(body);
    return status === 200 && (ActionStatus === 'OK' || ErrorCode === REASONS.wrongAddress.errorCode);
  } catch {
    return false;
  }
}
