import { createServer } from 'node:http';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { GetItemCommand } from '@aws-sdk/client-dynamodb';
import { unmarshall } from '@aws-sdk/util-dynamodb';
import { InvalidArgumentError, Option } from '@commander-js/extra-typings';
import type { Environment } from '../../lambda/config.ts';
import { redactSign } from '../../lambda/signature.ts';
import { createProgram, nonEmpty, run, userPath, wholeNumber } from '../cli/command-line.ts';
import { UsageError } from '../cli/errors.ts';
import { inspectorPortFor, LOCAL_PORT } from '../cli/local-deployment.ts';
import { interruptionSignal } from '../cli/terminal.ts';
import {
  DOCUMENTED_SAMPLE,
  EXAMPLE_CLIENT,
  EXAMPLE_SDK_APP_ID,
  EXAMPLE_TOKEN,
  LOCAL_URL,
  TOKEN_VARIABLE,
  deliveryUrl,
  post,
} from './chat.ts';
import { LOCAL_AWS, dynamoDbClient } from './aws/dynamodb.ts';
import type { BusEvent } from './aws/event-bus.ts';
import { listen } from './aws/loopback.ts';
import { prepareDataDirectory } from './data-directory.ts';
import { startDeployment, type Deployment } from './deployment.ts';
import { readAssembly, type DeploymentSpec } from './template.ts';

/** How long to wait for the event of the sample. Publishing takes less than 0.1 s. */
const PUBLISH_TIMEOUT_MS = 1_000;

export const startProgram = () =>
  createProgram(
    'npm start --',
    "Runs the whole deployment on this machine, delivers Tencent's documented sample and goes on serving.",
  )
    .option('--port <port>', 'the port of the webhook; 0 takes a free one', wholeNumber(0, 65_535), LOCAL_PORT)
    .option(
      '--inspector-port <port>',
      'the port of the inspector, of the events and for --local (default: the next port)',
      wholeNumber(0, 65_535),
    )
    .option(
      '--data-dir <dir>',
      'where to store table and queues (default: in memory); unpublished events are not stored',
      userPath,
    )
    .addOption(
      new Option('--token <token>', 'the webhook token')
        .argParser(nonEmpty)
        .default(process.env[TOKEN_VARIABLE] || EXAMPLE_TOKEN, `$${TOKEN_VARIABLE}, else ${EXAMPLE_TOKEN}`),
    )
    .addOption(
      new Option('-c, --context <name=value>', 'an option of the stack, as for cdk deploy; may be repeated')
        .argParser(addContext)
        .default({ sdkAppId: EXAMPLE_SDK_APP_ID }, `sdkAppId=${EXAMPLE_SDK_APP_ID}`),
    )
    .addOption(
      new Option('--app <dir>', 'run a stack that cdk synth has written, for example cdk.out')
        .argParser(userPath)
        .conflicts('context'),
    )
    .option(
      '--time-scale <n>',
      "slow the receiver's timers down by this factor: a slow machine cannot keep the time limits of AWS",
      wholeNumber(1, 100),
      1,
    )
    .addHelpText('after', '\nCtrl-C ends it.')
    .action(async (options): Promise<void> => {
      await start(options);
    });

type Options = ReturnType<ReturnType<typeof startProgram>['opts']>;

function addContext(pair: string, context: Readonly<Record<string, string>>): Record<string, string> {
  const [, name, value] = /^([^=]+)=(.*)$/s.exec(pair) ?? [];
  if (name !== undefined && value !== undefined) return { ...context, [name]: value };
  throw new InvalidArgumentError('It must be name=value.');
}

async function start({ port, dataDir: dataDirectory, token, timeScale, ...options }: Options): Promise<void> {
  const { inspectorPort = inspectorPortFor(port) } = options;
  const interruption = interruptionSignal(() => {}); // stopping takes less than a second
  const interrupted = once(interruption, 'abort');
  const explain = (error: unknown) => {
    throw explained(error, inspectorPort);
  };
  // Before the seconds of synthesis. Another process may still take the port during these seconds.
  for (const each of [port, inspectorPort]) await checkPort(each).catch(explain);
  if (dataDirectory !== undefined) await prepareDataDirectory(dataDirectory);
  const starting = readSpec(options).then((spec) =>
    startDeployment({ spec, token, port, inspectorPort, dataDirectory, timeScale }),
  );
  const failing = serve(starting, token, interruption).catch(explain);
  await Promise.race([interrupted, failing.then(() => interrupted)]);

  console.log('\nStopping.');
  await starting.then(
    (deployment) => stop(deployment, dataDirectory),
    () => {}, // it has not started
  );
  process.exit(0);
}

async function readSpec({ app, context }: Pick<Options, 'app' | 'context'>): Promise<DeploymentSpec> {
  if (app !== undefined) return readAssembly(app);
  console.log('Synthesizing the stack …');
  const { synthesize } = await import('./synthesize.ts'); // loading CDK takes a second
  return synthesize(context);
}

async function serve(starting: Promise<Deployment>, token: string, interruption: AbortSignal): Promise<void> {
  const deployment = await starting;
  if (interruption.aborted) return;
  const sdkAppId = deployment.spec.receiver.environment['SDK_APP_ID' satisfies keyof Environment] ?? '';
  await deliverSample(deployment, sdkAppId, token);
  printNextSteps(deployment, sdkAppId, token);
}

/** Turns the error of a port that is not available into one that names the option. */
function explained(error: unknown, inspectorPort: number): unknown {
  const { syscall, code, port } = error as NodeJS.ErrnoException & { port?: number };
  if (syscall !== 'listen') return error;
  const option = port === inspectorPort ? '--inspector-port' : '--port';
  if (code === 'EADDRINUSE') {
    return new UsageError(
      `port ${port} is in use: end the program that uses it, or choose another port with ${option}`,
    );
  }
  if (code === 'EACCES') return new UsageError(`you may not use port ${port}: choose another one with ${option}`);
  return error;
}

async function checkPort(port: number): Promise<void> {
  const server = await listen(createServer(), port);
  await server.close();
}

async function stop({ stop: stopAll, sqs, spec }: Deployment, dataDirectory: string | undefined): Promise<void> {
  await stopAll();
  const deadLetterQueues = new Set(spec.queues.flatMap(({ deadLetters }) => deadLetters?.queueName ?? []));
  const count = (areDead: boolean) =>
    spec.queues.filter(({ name }) => deadLetterQueues.has(name) === areDead).flatMap(({ name }) => sqs.messages(name))
      .length;
  const [retries, deadLetters] = [count(false), count(true)];
  if (retries + deadLetters === 0) return;
  const left = `${retries} to retry, ${deadLetters} dead-lettered`;
  console.log(
    dataDirectory === undefined
      ? `Left in the queues: ${left}. They are lost, because the queues were in memory: see --data-dir.`
      : `Left in the queues in ${dataDirectory}: ${left}. The next npm start with this --data-dir goes on with the ` +
          'retries; npm run dead-letters -- list --local shows the dead letters.',
  );
}

async function deliverSample(deployment: Deployment, sdkAppId: string, token: string): Promise<void> {
  const { url, inspectorUrl, dynamoDb, spec, bus } = deployment;
  const published = Promise.withResolvers<BusEvent>();
  // The queues of a data directory may cause other events before that of the sample.
  let isAwaited = true;
  bus.subscribe((event) => {
    const { officialAccountId } = event.detail as { officialAccountId?: unknown };
    if (isAwaited && officialAccountId === DOCUMENTED_SAMPLE.Official_Account) published.resolve(event);
    else console.log(`event ${JSON.stringify(event)}`);
  });
  const target = deliveryUrl({ url, sdkAppId, token, ...EXAMPLE_CLIENT }, DOCUMENTED_SAMPLE.CallbackCommand);
  console.log(`Listening on ${url}
Inspector: ${inspectorUrl}

Delivering the documented sample, signed. The function prints two lines of JSON, its log line and its metrics.
POST ${redactSign(target.href, target)}
${indent(DOCUMENTED_SAMPLE)}
`);
  const { status, body, milliseconds } = await post(target, JSON.stringify(DOCUMENTED_SAMPLE));
  console.log(`\nReply: HTTP ${status} after ${milliseconds} ms\n  ${body}\n`);

  const client = dynamoDbClient(dynamoDb.url);
  const { Item } = await client.send(
    new GetItemCommand({
      TableName: spec.tableName,
      Key: { sdkAppId: { S: sdkAppId }, officialAccountId: { S: DOCUMENTED_SAMPLE.Official_Account } },
    }),
  );
  client.destroy();
  console.log(
    `Stored in the DynamoDB table ${spec.tableName}:\n${Item ? indent(unmarshall(Item)) : '  nothing: see the reply'}`,
  );
  const event = await Promise.race([published.promise, sleep(PUBLISH_TIMEOUT_MS, undefined, { ref: false })]);
  isAwaited = false;
  console.log(`\nPublished on the event bus:\n${event ? indent(event) : '  nothing: the record has not changed'}`);
}

function indent(value: unknown): string {
  return JSON.stringify(value, null, 2).replace(/^/gm, '  ');
}

function printNextSteps(
  { url, inspectorUrl, eventsUrl, dynamoDb, spec }: Deployment,
  sdkAppId: string,
  token: string,
): void {
  const send = [
    'npm run send --',
    ...(url === LOCAL_URL ? [] : ['--url', url]),
    ...(sdkAppId === EXAMPLE_SDK_APP_ID ? [] : ['--sdk-app-id', sdkAppId]),
    ...(token === EXAMPLE_TOKEN ? [] : ['--token', '…']),
  ].join(' ');
  const { AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY } = LOCAL_AWS;
  const backend = spec.receiver.environment['FORWARD_URL' satisfies keyof Environment];
  console.log(`
See each delivery arrive, with its reply, record and event, in a browser:
  ${inspectorUrl}

Send more deliveries from another terminal (all options: npm run send -- --help):
  ${send} --official-account '@TOA#_news' --name 新公众号
  ${send} --count 1000 --concurrency 20

See the records (any region and credentials work):
  AWS_ACCESS_KEY_ID=${AWS_ACCESS_KEY_ID} AWS_SECRET_ACCESS_KEY=${AWS_SECRET_ACCESS_KEY} aws dynamodb scan --region ${AWS_REGION} \\
    --endpoint-url ${dynamoDb.url} --table-name ${spec.tableName}

If DynamoDB fails, a delivery goes to a queue and is retried. Here the queue's clock runs sixty times faster.
To see that nothing gets lost: npm run faults

Listen to the events that your other systems will receive (Server-Sent Events):
  curl -N ${eventsUrl}

Serving. For each delivery, the function prints its log line and its metrics; each event is printed, too.${backend === undefined ? '' : `\nOther callback commands go to your backend: ${backend}`}
Ctrl-C ends it.`);
}

if (import.meta.main) await run(startProgram());
