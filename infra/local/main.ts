import { once } from 'node:events';
import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { GetItemCommand } from '@aws-sdk/client-dynamodb';
import { unmarshall } from '@aws-sdk/util-dynamodb';
import type { Environment } from '../../lambda/config.ts';
import {
  DOCUMENTED_SAMPLE,
  EXAMPLE_CLIENT,
  EXAMPLE_SDK_APP_ID,
  EXAMPLE_TOKEN,
  LOCAL_PORT,
  LOCAL_URL,
  TOKEN_VARIABLE,
  deliveryUrl,
  post,
} from './chat.ts';
import { LOCAL_AWS, dynamoDbClient } from './aws/dynamodb.ts';
import type { BusEvent } from './aws/event-bus.ts';
import { listen } from './aws/loopback.ts';
import { onOutputClosed, run, UsageError, userPath, wholeNumber } from './command-line.ts';
import { isLocked, prepareDataDirectory, unusable } from './data-directory.ts';
import { startDeployment, type Deployment, type DeploymentOptions } from './deployment.ts';
import { readAssembly } from './template.ts';

const USAGE = `Runs the whole deployment on this machine, delivers Tencent's documented sample to it and goes on serving.

Usage: npm start -- [options]

  --port PORT              where to serve the webhook; 0 takes a free port (default: ${LOCAL_PORT})
  --data-dir DIR           where to keep the table and the queues, what is parked included (default: in memory, gone at
                           the end); events that were not published yet are not kept
  --token TOKEN            the webhook token (default: $${TOKEN_VARIABLE}, else ${EXAMPLE_TOKEN})
  -c, --context NAME=VALUE an option of the stack, as for cdk deploy; may be repeated
                           (default: sdkAppId=${EXAMPLE_SDK_APP_ID})
  --app DIR                runs a stack that cdk synth has written, cdk.out for instance; --context does not apply
  --time-scale N           how many times slower the receiver's timers run, 1 to 100: a slow machine needs more than the
                           fractions of a second that a delivery has on AWS (default: 1)
  -h, --help               prints this

Ctrl-C ends it.`;

/** Where there is something to publish, it takes some hundredths of a second. */
const PUBLISHED_WITHIN_MS = 1_000;

await run(
  USAGE,
  {
    port: { type: 'string', default: String(LOCAL_PORT) },
    'data-dir': { type: 'string' },
    token: { type: 'string', default: process.env[TOKEN_VARIABLE] || EXAMPLE_TOKEN },
    context: { type: 'string', short: 'c', multiple: true, default: [] },
    app: { type: 'string' },
    'time-scale': { type: 'string', default: '1' },
  },
  async (options) => {
    const context = { sdkAppId: EXAMPLE_SDK_APP_ID, ...contextOf(options.context) };
    if (options.app !== undefined && options.context.length > 0)
      throw new UsageError('--app leaves no use for --context');
    const port = wholeNumber('--port', options.port, 0, 65_535);
    const timeScale = wholeNumber('--time-scale', options['time-scale'], 1, 100);
    if (options.token === '') throw new UsageError('--token is empty');
    if (options['data-dir'] === '') throw new UsageError('--data-dir is empty');
    const dataDirectory = options['data-dir'] === undefined ? undefined : userPath(options['data-dir']);
    const over = atSignal();
    const isOver = once(over, 'abort');

    // Synthesizing takes seconds: what can be known to fail is said before. Another process may still come in between.
    const explain = (error: unknown) => {
      throw explained(error, port, dataDirectory);
    };
    await checkPort(port).catch(explain);
    if (dataDirectory !== undefined) await prepareDataDirectory(dataDirectory);
    const starting = startStack(context, options.app, { token: options.token, port, dataDirectory, timeScale });
    const serving = serve(starting, options.token, over);
    const failing = serving.catch(explain);
    await Promise.race([isOver, failing.then(() => isOver)]);

    console.log('\nStopping.');
    await starting.then(
      (deployment) => stop(deployment, dataDirectory, port),
      () => {}, // it has not started
    );
    process.exit(0);
  },
);

async function startStack(
  context: Readonly<Record<string, string>>,
  app: string | undefined,
  options: Omit<DeploymentOptions, 'spec'>,
): Promise<Deployment> {
  if (app !== undefined) return startDeployment({ ...options, spec: readAssembly(userPath(app)) });
  console.log('Synthesizing the stack …');
  const { synthesize } = await import('./synthesize.ts'); // loading CDK takes a second
  return startDeployment({ ...options, spec: await synthesize(context) });
}

async function serve(starting: Promise<Deployment>, token: string, over: AbortSignal): Promise<void> {
  const deployment = await starting;
  if (over.aborted) return;
  const sdkAppId = deployment.spec.receiver.environment['SDK_APP_ID' satisfies keyof Environment] ?? '';
  await deliverSample(deployment, sdkAppId, token);
  printNextSteps(deployment, sdkAppId, token);
}

/** Where one of the user's options is wrong, the error that says so. */
function explained(error: unknown, port: number, dataDirectory: string | undefined): unknown {
  if (dataDirectory !== undefined && isLocked(error)) return unusable(dataDirectory, error);
  const { syscall, code } = error as NodeJS.ErrnoException;
  if (syscall !== 'listen') return error;
  if (code === 'EADDRINUSE') {
    return new UsageError(`port ${port} is taken: end what listens there, or choose another port with --port`);
  }
  if (code === 'EACCES') return new UsageError(`port ${port} is not for you: choose another with --port`);
  return error;
}

function contextOf(pairs: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const [, name, value] = /^([^=]+)=(.*)$/s.exec(pair) ?? [];
      if (name === undefined || value === undefined)
        throw new UsageError(`--context is '${pair}', but must be NAME=VALUE`);
      return [name, value];
    }),
  );
}

async function checkPort(port: number): Promise<void> {
  const server = await listen(createServer(), port);
  await server.close();
}

/** Ctrl-C comes twice: from the terminal and from npm. */
function atSignal(): AbortSignal {
  const over = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => over.abort());
  onOutputClosed(() => over.abort());
  return over.signal;
}

async function stop(
  { stop: stopAll, sqs, spec }: Deployment,
  dataDirectory: string | undefined,
  port: number,
): Promise<void> {
  await stopAll();
  const deadLetterQueues = new Set(spec.queues.flatMap(({ deadLetters }) => deadLetters?.queueName ?? []));
  const messages = spec.queues.flatMap(({ name }) => sqs.messages(name)).length;
  const dead = [...deadLetterQueues].flatMap((name) => sqs.messages(name)).length;
  const deliveries = (number: number) => `${number} ${number === 1 ? 'delivery is' : 'deliveries are'}`;
  if (dataDirectory === undefined) {
    if (messages === 0) return;
    console.log(
      `${deliveries(messages)} dropped from the queues, which were in memory. With --data-dir they are kept.`,
    );
    return;
  }
  const parked = messages - dead;
  if (parked > 0) {
    console.log(
      `${deliveries(parked)} kept in the queues, in ${dataDirectory}: npm start with this --data-dir goes on with them.`,
    );
  }
  if (dead > 0) {
    console.log(
      `${dead} ${dead === 1 ? 'dead letter is' : 'dead letters are'} kept in ${dataDirectory}, and not tried again: while ` +
        `npm start runs with this --data-dir, npm run dead-letters -- list --local${port === LOCAL_PORT ? '' : ' --port PORT'} shows them.`,
    );
  }
}

async function deliverSample(deployment: Deployment, sdkAppId: string, token: string): Promise<void> {
  const { url, dynamoDb, spec, bus } = deployment;
  const published = Promise.withResolvers<BusEvent>();
  // What a data directory's queues held may be stored, and published, before the sample is.
  let isAwaited = true;
  bus.subscribe((event) => {
    const { officialAccountId } = event.detail as { officialAccountId?: unknown };
    if (isAwaited && officialAccountId === DOCUMENTED_SAMPLE.Official_Account) published.resolve(event);
    else console.log(`event ${JSON.stringify(event)}`);
  });
  const deliveredTo = deliveryUrl({ url, sdkAppId, token, ...EXAMPLE_CLIENT }, DOCUMENTED_SAMPLE.CallbackCommand);
  console.log(`Listening on ${url}

Delivering the documented sample, signed. The two lines in braces below it are the function's own: log and metrics.
POST ${withoutSign(deliveredTo)}
${indent(DOCUMENTED_SAMPLE)}
`);
  const { status, body, milliseconds } = await post(deliveredTo, JSON.stringify(DOCUMENTED_SAMPLE));
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
  const event = await Promise.race([published.promise, sleep(PUBLISHED_WITHIN_MS, undefined, { ref: false })]);
  isAwaited = false;
  console.log(`\nPublished on the event bus:\n${event ? indent(event) : '  nothing: the record has not changed'}`);
}

/** Whoever has a whole delivery's URL can post for a minute: none is printed, here as in production. */
function withoutSign(url: URL): string {
  return url.href.replace(/(?<=[?&]Sign=)[^&]*/, '…');
}

function indent(value: unknown): string {
  return JSON.stringify(value, null, 2).replace(/^/gm, '  ');
}

function printNextSteps({ url, eventsUrl, dynamoDb, spec }: Deployment, sdkAppId: string, token: string): void {
  const send = [
    'npm run send --',
    ...(url === LOCAL_URL ? [] : ['--url', url]),
    ...(sdkAppId === EXAMPLE_SDK_APP_ID ? [] : ['--sdk-app-id', sdkAppId]),
    ...(token === EXAMPLE_TOKEN ? [] : ['--token', '…']),
  ].join(' ');
  console.log(`
Send more, as Chat does, from another terminal (all options: npm run send -- --help):
  ${send} --official-account '@TOA#_news' --name 新公众号
  ${send} --count 1000 --concurrency 20

See the records (any region and credentials will do):
  AWS_ACCESS_KEY_ID=${LOCAL_AWS.AWS_ACCESS_KEY_ID} AWS_SECRET_ACCESS_KEY=${LOCAL_AWS.AWS_SECRET_ACCESS_KEY} aws dynamodb scan --region ${LOCAL_AWS.AWS_REGION} \\
    --endpoint-url ${dynamoDb.url} --table-name ${spec.tableName}

What DynamoDB can't take is parked in a queue and stored later; its clock runs sixty times faster here.
See that nothing gets lost: npm run faults

Hear of each new official account, as your other systems will, by Server-Sent Events:
  curl -N ${eventsUrl}

Serving. For each delivery below: the event where it made one, the function's log line, and its metrics for CloudWatch.
Ctrl-C ends it.`);
}
