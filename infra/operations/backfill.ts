import { readFile } from 'node:fs/promises';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { Config } from '../../lambda/config.ts';
import { MAX_AHEAD_MS, MAX_KEY_BYTES, type Limits } from '../../lambda/limits.ts';
import { officialAccountsTable } from '../../lambda/official-accounts-table.ts';
import { abortAtDeadline } from '../../lambda/sdk-client.ts';
import { awsClientSettings } from '../cli/aws-client.ts';
import { awsCallError } from '../cli/aws-errors.ts';
import { run, userPath } from '../cli/command-line.ts';
import { findDeployment } from '../cli/deployed-stack.ts';
import { OperationError, UsageError } from '../cli/errors.ts';
import { interruptionSignal, printable } from '../cli/terminal.ts';
import { chatAppOf, createChatProgram } from './chat-app.ts';
import { chatRestApi, MAX_IDS, type ChatAccount, type ChatRestApi } from './chat-rest-api.ts';

/** Limits of a write. A person waits for the command, whose machine may be busy or far from the table. */
const STORE_LIMITS: Limits = { attempts: 5, attemptMs: 10_000, totalMs: 60_000 };

export const backfillProgram = () =>
  createChatProgram(
    'backfill',
    'Asks Chat for official accounts and stores those that the table lacks, because they are older than the receiver or ' +
      'their event was lost. Real events win, whether they came before or come later: so replay dead letters first. Each ' +
      'new record is published.',
  )
    .requiredOption('--ids <file>', 'the IDs, one a line; Chat has no list of them, but its console shows it', userPath)
    .option('--json', 'print the report as JSON, with every ID')
    .addHelpText(
      'after',
      `
You can interrupt the command and run it again: stored accounts stay, and are not stored twice.
Needs the rights cloudformation:DescribeStacks, lambda:GetFunctionConfiguration and dynamodb:UpdateItem.
Exit code 0 if every account was stored, was in the table, or is unknown to Chat; 1 if one failed; 2 if the options are wrong.

Examples:
  npm run backfill -- --ids ids.txt --stack TencentChatWebhook --chat-region singapore
  npm run backfill -- --ids ids.txt --local --chat-region tokyo --json`,
    )
    .action(async (options) => {
      const ids = await readIds(options.ids);
      const { config } = await findDeployment(options);
      const chat = chatRestApi(await chatAppOf(options, config.sdkAppId));
      report(ids, await backfill(ids, config, chat, interruptionSignal()), options.json === true);
    });

/** The result for an ID. `known` means that the table has the account, `unknown` that Chat does not. */
type Outcome = 'stored' | 'known' | 'unknown' | { failed: string };

interface Backfilled {
  outcomes: Map<string, Outcome>;
  /** The reason, if it ended before all IDs were done. */
  endedBy?: string;
}

/**
 * Applies the creation of each account that Chat knows. The merge rule decides what that changes in the table.
 *
 * @param signal stops after the accounts that are in progress.
 */
async function backfill(
  ids: readonly string[],
  { sdkAppId, tableName }: Config,
  chat: ChatRestApi,
  signal: AbortSignal,
): Promise<Backfilled> {
  const client = new DynamoDBClient(awsClientSettings(STORE_LIMITS));
  const accounts = officialAccountsTable(client, tableName, abortAtDeadline(STORE_LIMITS));
  const outcomes = new Map<string, Outcome>();

  async function store(id: string, { createTime, ...attributes }: ChatAccount): Promise<Outcome> {
    const receivedTime = Date.now();
    const eventTime = createTime * 1000;
    if (eventTime > receivedTime + MAX_AHEAD_MS) return { failed: 'its CreateTime is in the future' };
    try {
      const result = await accounts.apply({
        sdkAppId,
        officialAccountId: id,
        eventTime, // not later than that of the real creation, which has milliseconds
        receivedTime,
        clientIp: undefined,
        optPlatform: undefined,
        timestampAttribute: 'createdTime',
        attributes,
      });
      return result === 'stored' ? 'stored' : 'known';
    } catch (error) {
      const awsError = awsCallError('write to the table', error);
      if (awsError === undefined || awsError.isPermanent) throw awsError ?? error;
      return { failed: awsError.message };
    }
  }

  const keys = ids.filter(isKey);
  for (const id of ids) if (!isKey(id)) outcomes.set(id, { failed: 'an ID has 1 to 1,024 bytes' });
  try {
    for (let next = 0; next < keys.length; next += MAX_IDS) {
      if (signal.aborted) return { outcomes, endedBy: 'Interrupted' };
      const answers = await chat.officialAccounts(keys.slice(next, next + MAX_IDS));
      await Promise.all(
        answers.map(async ([id, answer]) => {
          const isFound = answer !== 'unknown' && 'account' in answer;
          outcomes.set(id, isFound ? await store(id, answer.account) : answer);
        }),
      );
    }
    return { outcomes };
  } catch (error) {
    if (!(error instanceof OperationError)) throw error;
    return { outcomes, endedBy: error.message };
  }
}

function isKey(id: string): boolean {
  return id.isWellFormed() && Buffer.byteLength(id) <= MAX_KEY_BYTES;
}

/** Reads the IDs, one a line, without duplicates. Spaces may be part of an ID. */
async function readIds(file: string): Promise<string[]> {
  const text = await readFile(file, 'utf8').catch((error: Error) => {
    throw new UsageError(`--ids can't be read: ${error.message}`, { cause: error });
  });
  const ids = new Set(text.replace(/^\uFEFF/, '').split(/\r?\n/));
  ids.delete('');
  if (ids.size === 0) throw new UsageError(`the file of --ids, ${file}, contains no ID`);
  return [...ids];
}

function report(ids: readonly string[], { outcomes, endedBy }: Backfilled, isJson: boolean): void {
  const of = (wanted?: Outcome) => ids.filter((id) => outcomes.get(id) === wanted);
  const [stored, known, unknown, notAsked] = [of('stored'), of('known'), of('unknown'), of()];
  const failed = ids.flatMap((id) => {
    const outcome = outcomes.get(id);
    return typeof outcome === 'object' ? [{ id, reason: outcome.failed }] : [];
  });
  if (isJson) console.log(JSON.stringify({ stored, known, unknown, failed, notAsked, endedBy }, null, 2));
  else {
    for (const id of unknown) console.log(`unknown  ${printable(id)}`);
    for (const { id, reason } of failed) console.log(`failed   ${printable(id)}: ${reason}`);
    const found = stored.length + known.length;
    console.log(
      `${ids.length} asked for: ${found} found (${stored.length} stored, ${known.length} ` +
        `already in the table), ${unknown.length} unknown to Chat, ${failed.length} failed`,
    );
  }
  if (endedBy !== undefined) console.error(`${endedBy}\n${notAsked.length} left: run the same command again.`);
  process.exitCode = failed.length > 0 || endedBy !== undefined ? 1 : 0;
}

if (import.meta.main) await run(backfillProgram());
