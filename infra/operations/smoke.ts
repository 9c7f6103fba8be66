import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { DynamoDB } from '@aws-sdk/client-dynamodb';
import { SecretsManager } from '@aws-sdk/client-secrets-manager';
import { tokenProblem } from '../../lambda/token.ts';
import { CHAT_TIMEOUT_MS } from '../../lambda/limits.ts';
import { officialAccountChanged } from '../../lambda/commands/official-account-changed.ts';
import { officialAccountCreated } from '../../lambda/commands/official-account-created.ts';
import { REASONS } from '../../lambda/outcomes.ts';
import { deliveryUrl, EXAMPLE_CLIENT, isOk, post, type HttpReply, type Sender } from '../local/chat.ts';
import { awsClientSettings } from '../cli/aws-client.ts';
import { AwsCallError, tryTo } from '../cli/aws-errors.ts';
import { run, wholeNumber } from '../cli/command-line.ts';
import { createOperatorProgram, findDeployment, type DeployedStack } from '../cli/deployed-stack.ts';
import { OperationError } from '../cli/errors.ts';
import { interruptionSignal, parseJson, printable } from '../cli/terminal.ts';
import { NAME_PREFIX, watchEvents, type EventWatch } from './event-watch.ts';

const TEST_ACCOUNT = 'a test account';

export const smokeProgram = () =>
  createOperatorProgram(
    'smoke',
    'Checks a deployment from outside, as Chat uses it: the URL, the token, a wrong signature, and the whole path of a ' +
      'test account, which is delivered, found in the table, seen on the event bus and deleted again.',
  )
    .option('--no-account', 'skip the test account: nothing is stored or published')
    .option('--patience <seconds>', 'how long to wait for the record, and for its event', wholeNumber(1, 3_600), 60)
    .addHelpText(
      'after',
      `
The rules of your other systems see the test account: its ID begins with @TOA#_smoke-, and its event is published.
On AWS, a queue and a rule named ${NAME_PREFIX}… receive the event. All of it is deleted at the end, also after Ctrl-C.
Needs the rights cloudformation:DescribeStacks, lambda:GetFunctionConfiguration, secretsmanager:GetSecretValue,
dynamodb:GetItem and dynamodb:DeleteItem. To see the event also events:PutRule, PutTargets, RemoveTargets and DeleteRule,
and sqs:CreateQueue, GetQueueAttributes, SetQueueAttributes, ReceiveMessage and DeleteQueue: without these, the check of
the event bus is skipped.
Prints one line a check. Exit code 0 if all succeed; 1 after the first that fails; 2 if the options are wrong.

Examples:
  npm run smoke -- --stack TencentChatWebhook
  npm run smoke -- --stack TencentChatWebhook-test --region ap-southeast-1 --no-account`,
    )
    .action(async ({ patience, account, ...options }) => {
      const signal = interruptionSignal();
      const deployment = await check('the deployment is found', () => findDeployment(options));
      const sender = await senderTo(deployment);

      const isTurnedAway = await check('a signed delivery without a command is answered OK in time', async () => {
        const reply = await send(deliveryUrl(sender), '');
        if (errorCode(reply) === REASONS.wrongAddress.errorCode) return true;
        mustBeOk(reply);
        return false;
      });
      if (sender.token === undefined) skip('a wrong Sign is rejected', 'authentication is off');
      else await check('a wrong Sign is rejected', () => rejectsWrongSign(sender));
      if (isTurnedAway) {
        skip(TEST_ACCOUNT, "this machine's address is not in allowedCidrs, and was rejected as it should be");
      } else if (account) await checkWholePath(deployment, sender, patience * 1000, signal);
      else skip(TEST_ACCOUNT, '--no-account was given');
    });

/** Makes a check and prints its result in one line. @throws OperationError if it fails. */
async function check<T>(claim: string, what: () => Promise<T>): Promise<T> {
  try {
    const result = await what();
    console.log(`ok    ${claim}`);
    return result;
  } catch (error) {
    if (error instanceof OperationError) console.log(`FAIL  ${claim}`);
    throw error;
  }
}

function skip(claim: string, why: string): void {
  console.log(`skip  ${claim}: ${why}`);
}

async function senderTo({ webhookUrl: url, config }: DeployedStack): Promise<Sender> {
  const { sdkAppId, tokenSecretArn } = config;
  if (tokenSecretArn === undefined) return { url, sdkAppId, token: undefined, ...EXAMPLE_CLIENT };
  const secrets = new SecretsManager(awsClientSettings());
  const token = await check('the token is in Secrets Manager', async () => {
    const { SecretString } = await tryTo('read the token', () => secrets.getSecretValue({ SecretId: tokenSecretArn }));
    const problem = tokenProblem(SecretString);
    if (problem !== undefined)
      throw new OperationError(`The receiver rejects the token, because the secret ${problem}`);
    return SecretString ?? '';
  });
  return { url, sdkAppId, token, ...EXAMPLE_CLIENT };
}

async function rejectsWrongSign(sender: Sender): Promise<void> {
  const url = deliveryUrl(sender, officialAccountCreated.name);
  url.searchParams.set('Sign', '0'.repeat(64));
  const reply = await send(url, '{}');
  if (errorCode(reply) !== REASONS.badSignature.errorCode) {
    throw new OperationError(`The reply is ${replyText(reply)}: anyone who knows the URL can write records`);
  }
}

/** Delivers a test account, looks for its record and its event, and deletes everything. */
async function checkWholePath(
  deployment: DeployedStack,
  sender: Sender,
  patienceMs: number,
  signal: AbortSignal,
): Promise<void> {
  const id = `@TOA#_smoke-${randomUUID().slice(0, 8)}`;
  const Key = { sdkAppId: { S: sender.sdkAppId }, officialAccountId: { S: id } };
  const item = { TableName: deployment.config.tableName, Key };
  const table = new DynamoDB(awsClientSettings());
  const deliver = async (command: string, fields: object) => {
    const body = { CallbackCommand: command, Official_Account: id, ...fields, EventTime: Date.now() };
    mustBeOk(await send(deliveryUrl(sender, command), JSON.stringify(body)));
  };
  const until = async <T>(look: () => Promise<T | undefined>): Promise<T | undefined> => {
    for (const end = Date.now() + patienceMs; Date.now() < end;) {
      if (signal.aborted) throw new OperationError('Interrupted');
      const found = await look();
      if (found !== undefined) return found;
    }
    return undefined;
  };

  const published = 'its event is on the event bus';
  const watch = await watchIfAllowed(deployment, id, published);
  let failure: unknown;
  try {
    if (signal.aborted) throw new OperationError('Interrupted');
    await check(`${TEST_ACCOUNT} is delivered, and answered OK in time`, () =>
      deliver(officialAccountCreated.name, { Operator_Account: 'smoke', Owner_Account: 'smoke', Name: 'Smoke test' }),
    );
    await check('its record is in the table', async () => {
      const read = () => table.getItem({ ...item, ConsistentRead: true });
      const look = async () => (await tryTo('read the table', read)).Item ?? sleep(200, undefined);
      if ((await until(look)) !== undefined) return;
      throw new OperationError(
        "It is not, because DynamoDB failed: see the receiver's log. " +
          `As soon as the redrive has stored it, delete the record of ${id} by hand`,
      );
    });
    if (watch !== undefined) {
      await check(published, async () => {
        // A new rule misses the events of its first seconds: so change the record again and again.
        let changes = 0;
        const seen = await until(async () => {
          const type = await watch.look();
          if (type !== undefined) return type;
          changes += 1;
          await deliver(officialAccountChanged.name, { Operator_Account: 'smoke', Name: `Smoke test ${changes}` });
          return undefined;
        });
        if (seen === undefined) throw new OperationError("It is not: see the publisher's log");
      });
    }
  } catch (error) {
    failure = error;
  }
  try {
    await check(`${id} is deleted again, with the rule and the queue for its event`, async () => {
      // Both, even if one fails.
      const results = await Promise.allSettled([
        tryTo(`delete the record of ${id}`, () => table.deleteItem(item)),
        watch?.stop(),
      ]);
      for (const result of results) if (result.status === 'rejected') throw result.reason;
    });
  } catch (error) {
    if (failure !== undefined && error instanceof OperationError) console.error(error.message);
    failure ??= error;
  }
  if (failure !== undefined) throw failure;
}

async function watchIfAllowed(deployment: DeployedStack, id: string, claim: string): Promise<EventWatch | undefined> {
  try {
    return await watchEvents(deployment, id);
  } catch (error) {
    if (!(error instanceof AwsCallError && error.isPermanent)) throw error;
    skip(claim, error.message);
    return undefined;
  }
}

/** Posts a delivery. @throws OperationError if no reply comes. */
async function send(url: URL, body: string): Promise<HttpReply> {
  return post(url, body).catch((error: Error) => {
    throw new OperationError(`There is ${error.message}`, { cause: error });
  });
}

function mustBeOk(reply: HttpReply): void {
  if (!isOk(reply)) throw new OperationError(`The reply is ${replyText(reply)}${advice(errorCode(reply))}`);
  if (reply.milliseconds > CHAT_TIMEOUT_MS) {
    throw new OperationError(`The reply came after ${reply.milliseconds} ms, but Chat waits for ${CHAT_TIMEOUT_MS} ms`);
  }
}

function advice(code: unknown): string {
  if (code === REASONS.expired.errorCode) return ": check this machine's clock";
  if (code === REASONS.notKept.errorCode) return ": see the receiver's log";
  return '';
}

function errorCode({ body }: HttpReply): unknown {
  return parseJson(body)?.ErrorCode;
}

function replyText({ status, body }: HttpReply): string {
  return `HTTP ${status} ${printable(body.slice(0, 300))}`;
}

if (import.meta.main) await run(smokeProgram());
