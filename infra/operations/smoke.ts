import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { DeleteItemCommand, DynamoDBClient, GetItemCommand } from '@aws-sdk/client-dynamodb';
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { CHAT_TIMEOUT_MS } from '../../lambda/limits.ts';
import { officialAccountChanged } from '../../lambda/commands/official-account-changed.ts';
import { officialAccountCreated } from '../../lambda/commands/official-account-created.ts';
import { REASONS } from '../../lambda/outcomes.ts';
import { deliveryUrl, EXAMPLE_CLIENT, isOk, post, type HttpReply, type Sender } from '../local/chat.ts';
import { Failure, run, wholeNumber } from '../local/command-line.ts';
import { AwsFailure, tryTo } from './aws-errors.ts';
import { DEPLOYMENT_OPTIONS, DEPLOYMENT_USAGE, findDeployment, type DeployedStack } from './deployed-stack.ts';
import { NAME_PREFIX, watchEvents, type EventWatch } from './event-watch.ts';
import { printable, untilInterrupted } from './terminal.ts';

const USAGE = `Checks a deployment from outside, as Chat uses it: the URL, the token, a wrong signature, and the whole way of a
made-up official account, which is delivered, found in the table, seen on the event bus and deleted again.

Usage: npm run smoke -- (--stack NAME | --local) [options]

${DEPLOYMENT_USAGE}
  --no-account     ends before the made-up account: nothing is stored, and nothing published
  --patience S     how many seconds to wait for the record, and for its event (default: 60)
  -h, --help       prints this

The rules of your other systems see the made-up account: its ID begins with @TOA#_smoke-, and its event is published.
On AWS, a queue and a rule named ${NAME_PREFIX}… receive the event. All of it is deleted at the end, also after Ctrl-C.
Needs the rights cloudformation:DescribeStacks, lambda:GetFunctionConfiguration, secretsmanager:GetSecretValue,
dynamodb:GetItem and dynamodb:DeleteItem. To see the event it also needs events:PutRule, PutTargets, RemoveTargets and
DeleteRule, and sqs:CreateQueue, GetQueueAttributes, SetQueueAttributes, ReceiveMessage and DeleteQueue: without them, this
check is left out.
One line a check. Exit code 0 where all went well; 1 at the first that fails; 2 where the options make no sense.

Examples:
  npm run smoke -- --stack TencentChatWebhook
  npm run smoke -- --stack TencentChatWebhook-test --region ap-southeast-1 --no-account`;

await run(
  USAGE,
  {
    ...DEPLOYMENT_OPTIONS,
    'no-account': { type: 'boolean', default: false },
    patience: { type: 'string', default: '60' },
  },
  async ({ patience, 'no-account': isShort, ...options }) => {
    const patienceMs = wholeNumber('--patience', patience, 1, 3_600) * 1000;
    const signal = untilInterrupted();
    const deployment = await check('the deployment is found', () => findDeployment(options));
    const sender = await senderTo(deployment);

    const isTurnedAway = await check('a signed delivery without a command is answered OK in time', async () => {
      const reply = await send(deliveryUrl(sender), '');
      if (errorCode(reply) === REASONS.wrongAddress.errorCode) return true;
      mustBeOk(reply);
      return false;
    });
    if (sender.token === undefined) skip('a wrong Sign is refused', 'authentication is off');
    else await check('a wrong Sign is refused', () => refusesWrongSign(sender));
    if (isTurnedAway) {
      return skip(
        'a made-up account',
        "this machine's address is not in allowedCidrs, and was refused as it should be",
      );
    }
    if (isShort) return skip('a made-up account', '--no-account was given');
    await wholeWay(deployment, sender, patienceMs, signal);
  },
);

/** Prints one line on how it went. @throws Failure */
async function check<T>(claim: string, what: () => Promise<T>): Promise<T> {
  try {
    const result = await what();
    console.log(`ok    ${claim}`);
    return result;
  } catch (error) {
    if (error instanceof Failure) console.log(`FAIL  ${claim}`);
    throw error;
  }
}

function skip(claim: string, why: string): void {
  console.log(`skip  ${claim}: ${why}`);
}

async function senderTo({ webhookUrl: url, config, clientSettings }: DeployedStack): Promise<Sender> {
  const { sdkAppId, tokenSecretArn } = config;
  if (tokenSecretArn === undefined) return { url, sdkAppId, token: undefined, ...EXAMPLE_CLIENT };
  const secrets = new SecretsManagerClient(clientSettings('SECRETS_MANAGER'));
  const token = await check('the token is in Secrets Manager', async () => {
    const { SecretString } = await tryTo('read the token', () =>
      secrets.send(new GetSecretValueCommand({ SecretId: tokenSecretArn })),
    );
    if (!SecretString) throw new Failure('The secret holds no text: put the token of the Chat console there');
    return SecretString;
  });
  secrets.destroy();
  return { url, sdkAppId, token, ...EXAMPLE_CLIENT };
}

async function refusesWrongSign(sender: Sender): Promise<void> {
  const url = deliveryUrl(sender, officialAccountCreated.name);
  url.searchParams.set('Sign', '0'.repeat(64));
  const reply = await send(url, '{}');
  if (errorCode(reply) !== REASONS.badSignature.errorCode) {
    throw new Failure(`It was answered ${shown(reply)}: whoever knows the URL may write records`);
  }
}

/** Delivers a made-up account, and looks for it everywhere. Nothing of it remains. */
async function wholeWay(
  deployment: DeployedStack,
  sender: Sender,
  patienceMs: number,
  signal: AbortSignal,
): Promise<void> {
  const id = `@TOA#_smoke-${randomUUID().slice(0, 8)}`;
  const Key = { sdkAppId: { S: sender.sdkAppId }, officialAccountId: { S: id } };
  const item = { TableName: deployment.config.tableName, Key };
  const table = new DynamoDBClient(deployment.clientSettings('DYNAMODB'));
  const deliver = async (command: string, fields: object) => {
    const body = { CallbackCommand: command, Official_Account: id, ...fields, EventTime: Date.now() };
    mustBeOk(await send(deliveryUrl(sender, command), JSON.stringify(body)));
  };
  const until = async <T>(look: () => Promise<T | undefined>): Promise<T | undefined> => {
    for (const end = Date.now() + patienceMs; Date.now() < end;) {
      if (signal.aborted) throw new Failure('Interrupted');
      const found = await look();
      if (found !== undefined) return found;
    }
    return undefined;
  };

  const published = 'its event is on the event bus';
  const watch = await watchIfAllowed(deployment, id, published);
  let failure: unknown;
  try {
    if (signal.aborted) throw new Failure('Interrupted');
    await check('a made-up account is delivered, and answered OK in time', () =>
      deliver(officialAccountCreated.name, { Operator_Account: 'smoke', Owner_Account: 'smoke', Name: 'Smoke test' }),
    );
    await check('its record is in the table', async () => {
      const read = new GetItemCommand({ ...item, ConsistentRead: true });
      const look = async () => (await tryTo('read the table', () => table.send(read))).Item ?? sleep(200, undefined);
      if ((await until(look)) !== undefined) return;
      throw new Failure(
        "It is not, since it was parked: the receiver's log says why. " +
          `Once the redrive can store it, delete the record of ${id} by hand`,
      );
    });
    if (watch !== undefined) {
      await check(published, async () => {
        // A new rule sees nothing for its first seconds: there must be more than one event for it to see. Only what
        // changes the record is published.
        let changes = 0;
        const seen = await until(async () => {
          const type = await watch.look();
          if (type !== undefined) return type;
          changes += 1;
          await deliver(officialAccountChanged.name, { Operator_Account: 'smoke', Name: `Smoke test ${changes}` });
          return undefined;
        });
        if (seen === undefined) throw new Failure("It is not: the publisher's log says why");
      });
    }
  } catch (error) {
    failure = error;
  }
  try {
    await check(`${id} is deleted again, and what watched the event bus`, async () => {
      // Both, whichever fails.
      const results = await Promise.allSettled([
        tryTo(`delete the record of ${id}`, () => table.send(new DeleteItemCommand(item))),
        watch?.stop(),
      ]);
      for (const result of results) if (result.status === 'rejected') throw result.reason;
    });
  } catch (error) {
    if (failure !== undefined && error instanceof Failure) console.error(error.message);
    failure ??= error;
  }
  table.destroy();
  if (failure !== undefined) throw failure;
}

async function watchIfAllowed(deployment: DeployedStack, id: string, claim: string): Promise<EventWatch | undefined> {
  try {
    return await watchEvents(deployment, id);
  } catch (error) {
    if (!(error instanceof AwsFailure && error.isLasting)) throw error;
    skip(claim, error.message);
    return undefined;
  }
}

/** Posts, and says in one line why no reply comes. */
async function send(url: URL, body: string): Promise<HttpReply> {
  return post(url, body).catch((error: Error) => {
    throw new Failure(`There is ${error.message}`);
  });
}

function mustBeOk(reply: HttpReply): void {
  if (!isOk(reply)) throw new Failure(`It was answered ${shown(reply)}${advice(errorCode(reply))}`);
  if (reply.milliseconds > CHAT_TIMEOUT_MS) {
    throw new Failure(`It was answered after ${reply.milliseconds} ms, but Chat waits for ${CHAT_TIMEOUT_MS}`);
  }
}

function advice(code: unknown): string {
  if (code === REASONS.expired.errorCode) return ": check this machine's clock";
  if (code === REASONS.notKept.errorCode) return ": the receiver's log says why";
  return '';
}

function errorCode({ body }: HttpReply): unknown {
  try {
    return JSON.parse(body).ErrorCode;
  } catch {
    return undefined;
  }
}

function shown({ status, body }: HttpReply): string {
  return `HTTP ${status} ${printable(body.slice(0, 300))}`;
}
