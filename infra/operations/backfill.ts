import { readFile } from 'node:fs/promises';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { MAX_AHEAD_MS, MAX_KEY_BYTES, REDRIVE_LIMITS } from '../../lambda/limits.ts';
import { officialAccountsTable, type OfficialAccounts } from '../../lambda/official-accounts-table.ts';
import { clientSettings, abortAtDeadline } from '../../lambda/sdk-client.ts';
import { Failure, run, UsageError, userPath } from '../local/command-line.ts';
import { awsFailure } from './aws-errors.ts';
import { CHAT_OPTIONS, CHAT_USAGE, chatAppOf, KEY_USAGE } from './chat-app.ts';
import { chatRestApi, MAX_IDS, type ChatAccount, type ChatRestApi } from './chat-rest-api.ts';
import { DEPLOYMENT_OPTIONS, DEPLOYMENT_USAGE, findDeployment } from './deployed-stack.ts';
import { endProgress, printable, progress, untilInterrupted } from './terminal.ts';

const USAGE = `Asks Chat for official accounts and stores those that the table lacks: they are from before the receiver, or their
event was lost. What real events say wins, whether they came before or come later: send dead letters back first. Each
new record is published.

Usage: npm run backfill -- --ids FILE (--stack NAME | --local) [options]

  --ids FILE       the IDs of the official accounts, one a line; Chat has no list of them, but its console shows it
${DEPLOYMENT_USAGE}
${CHAT_USAGE}
  --json           prints the report as JSON, with every ID
  -h, --help       prints this

${KEY_USAGE}
It may be interrupted and repeated: what is stored stays, and is not stored twice.
Needs the rights cloudformation:DescribeStacks, lambda:GetFunctionConfiguration and dynamodb:UpdateItem.
Exit code 0 where every account was stored, known or unknown to Chat; 1 where one failed; 2 where the options make no sense.

Examples:
  npm run backfill -- --ids ids.txt --stack TencentChatWebhook --chat-region singapore
  npm run backfill -- --ids ids.txt --local --chat-region tokyo --json`;

/** What became of an ID. */
export type Outcome = 'stored' | 'known' | 'unknown' | { failed: string };

export interface BackfillOptions {
  ids: readonly string[];
  sdkAppId: string;
  chat: ChatRestApi;
  accounts: OfficialAccounts;
  /** Ends it after the accounts that are on their way. */
  signal: AbortSignal;
  /** Is told how many IDs are done. */
  onProgress: (done: number) => void;
}

export interface Backfilled {
  outcomes: Map<string, Outcome>;
  /** Why it ended before all IDs were done. */
  endedBy?: string;
}

/** Stores each account that Chat knows as its creation. The table's own rules decide what that changes. */
export async function backfill(options: BackfillOptions): Promise<Backfilled> {
  const { ids, sdkAppId, chat, accounts, signal, onProgress } = options;
  const outcomes = new Map<string, Outcome>();

  async function store(id: string, { createTime, ...attributes }: ChatAccount): Promise<Outcome> {
    const receivedTime = Date.now();
    const eventTime = createTime * 1000;
    if (eventTime > receivedTime + MAX_AHEAD_MS) return { failed: 'its CreateTime is in the future' };
    try {
      const result = await accounts.apply({
        sdkAppId,
        officialAccountId: id,
        eventTime, // no later than that of the real creation, which is in ms
        receivedTime,
        clientIp: undefined,
        optPlatform: undefined,
        timestampAttribute: 'createdTime',
        attributes,
      });
      return result === 'stored' ? 'stored' : 'known';
    } catch (error) {
      const failure = awsFailure('write to the table', error);
      if (failure === undefined || failure.isLasting) throw failure ?? error;
      return { failed: failure.message };
    }
  }

  const keys = ids.filter(isKey);
  for (const id of ids)
    if (!isKey(id)) outcomes.set(id, { failed: 'it can be no ID: DynamoDB takes 1 to 1,024 bytes' });
  try {
    for (let next = 0; next < keys.length; next += MAX_IDS) {
      if (signal.aborted) return { outcomes, endedBy: 'Interrupted' };
      const answers = await chat.officialAccounts(keys.slice(next, next + MAX_IDS));
      await Promise.all(
        Array.from(answers, async ([id, answer]) => {
          if (answer === 'unknown') outcomes.set(id, answer);
          else if ('problem' in answer) outcomes.set(id, { failed: answer.problem });
          else outcomes.set(id, await store(id, answer.account));
        }),
      );
      onProgress(outcomes.size);
    }
    return { outcomes };
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return { outcomes, endedBy: error.message };
  }
}

function isKey(id: string): boolean {
  return id.isWellFormed() && Buffer.byteLength(id) <= MAX_KEY_BYTES;
}

if (import.meta.main) {
  await run(
    USAGE,
    { ids: { type: 'string' }, ...DEPLOYMENT_OPTIONS, ...CHAT_OPTIONS, json: { type: 'boolean', default: false } },
    async (options) => {
      if (options.ids === undefined) throw new UsageError('--ids is missing');
      const ids = await readIds(options.ids);
      const { config, clientSettings: settings } = await findDeployment(options);
      const { sdkAppId, tableName } = config;
      const chat = chatRestApi(await chatAppOf(options, sdkAppId));
      const client = new DynamoDBClient({ ...clientSettings(REDRIVE_LIMITS), ...settings('DYNAMODB') });
      const accounts = officialAccountsTable(client, tableName, abortAtDeadline(REDRIVE_LIMITS));
      const onProgress = (done: number) => progress(`${count(done)} of ${count(ids.length)}`);
      onProgress(0);
      const result = await backfill({ ids, sdkAppId, chat, accounts, signal: untilInterrupted(), onProgress });
      endProgress();
      client.destroy();
      report(ids, result, options.json);
    },
  );
}

/** One ID a line, byte for byte: spaces may be part of it. Each only once. */
async function readIds(file: string): Promise<string[]> {
  const text = await readFile(userPath(file), 'utf8').catch((error: Error) => {
    throw new UsageError(`--ids can't be read: ${error.message}`);
  });
  const ids = new Set(text.replace(/^\uFEFF/, '').split(/\r?\n/));
  ids.delete('');
  if (ids.size === 0) throw new UsageError(`--ids names ${file}, which holds no ID`);
  return [...ids];
}

function report(ids: readonly string[], { outcomes, endedBy }: Backfilled, isJson: boolean): void {
  const of = (wanted: Outcome) => ids.filter((id) => outcomes.get(id) === wanted);
  const [stored, known, unknown] = [of('stored'), of('known'), of('unknown')];
  const failed = ids.flatMap((id) => {
    const outcome = outcomes.get(id);
    return typeof outcome === 'object' ? [{ id, reason: outcome.failed }] : [];
  });
  const notAsked = ids.filter((id) => !outcomes.has(id));
  if (isJson) console.log(JSON.stringify({ stored, known, unknown, failed, notAsked, endedBy }, null, 2));
  else {
    for (const id of unknown) console.log(`unknown  ${printable(id)}`);
    for (const { id, reason } of failed) console.log(`failed   ${printable(id)}: ${reason}`);
    const found = stored.length + known.length;
    console.log(
      `${count(ids.length)} asked for: ${count(found)} found (${count(stored.length)} stored, ${count(known.length)} ` +
        `already in the table), ${count(unknown.length)} unknown to Chat, ${count(failed.length)} failed`,
    );
  }
  if (endedBy !== undefined) {
    console.error(`${endedBy}\n${count(notAsked.length)} left: the same command goes on with them.`);
  }
  process.exitCode = failed.length > 0 || endedBy !== undefined ? 1 : 0;
}

function count(n: number): string {
  return n.toLocaleString('en');
}
