import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { stripTypeScriptTypes } from 'node:module';
import { extname, join } from 'node:path';
import { ScanCommand, type DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DESCRIPTION_PATH, type Description } from '../../cli/local-deployment.ts';
import type { EventBus } from '../aws/event-bus.ts';
import { listen, readBody, type Loopback } from '../aws/loopback.ts';
import type { Sqs } from '../aws/sqs.ts';
import { deliveryUrl, DOCUMENTED_SAMPLES, EXAMPLE_CLIENT, post, signUrl } from '../chat.ts';
import { parseJson } from '../../cli/terminal.ts';
import { plain, type History } from './history.ts';
import type { ActionResult, Composed, Hello, Json, StateList } from './protocol.ts';

export interface InspectorOptions {
  /** 0 chooses a free port. */
  port: number;
  history: History;
  bus: EventBus;
  sqs: Sqs;
  queueNames: readonly string[];
  dynamoDb: DynamoDBClient;
  tableName: string;
  /** Webhook token. Undefined if authentication is off. */
  token: string | undefined;
  description: Omit<Description, 'eventsUrl'>;
  settings: Pick<Hello, 'sdkAppId' | 'allowedCidrs' | 'forwardUrl'>;
}

const PAGE = join(import.meta.dirname, 'page');
const LIT_HTML = join(import.meta.dirname, '../../../node_modules/lit-html');
const JAVASCRIPT = 'text/javascript';
const TYPES = new Map(
  Object.entries({ html: 'text/html', css: 'text/css', svg: 'image/svg+xml', ts: JAVASCRIPT, js: JAVASCRIPT }),
);

/** Only files of this server run, only lit-html's templates become markup, and no other site can frame or read a page. */
const HEADERS = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; " +
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types lit-html",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
};

/** Larger than a composed delivery that API Gateway accepts. */
const MAX_ACTION_BYTES = 16 * 1024 * 1024;
/** Pause between two messages to a page, so that many changes become one message. */
const NEWS_MS = 100;
const MAX_ITEMS = 200;
/** Headers that belong to a connection. */
const HOP_HEADERS =
  /^(host|connection|keep-alive|transfer-encoding|content-length|expect|te|trailer|upgrade|proxy-.*)$/;

/**
 * Starts the inspector: a page that shows deliveries as they arrive, and the paths for other programs on this machine.
 * `listen` rejects requests of other sites. Only the page can read the token that an action requires.
 */
export async function startInspector(options: InspectorOptions): Promise<Loopback & { eventsUrl: string }> {
  const { history, bus, sqs, queueNames, dynamoDb, tableName, token, description, settings } = options;
  const { webhookUrl } = description;
  const [run, actionToken] = [randomBytes(8).toString('hex'), randomBytes(32).toString('hex')];
  const sampleUrl = deliveryUrl({ url: webhookUrl, sdkAppId: settings.sdkAppId, token: undefined, ...EXAMPLE_CLIENT });
  const hello: Hello = {
    run,
    actionToken,
    webhookUrl,
    isAuthenticated: token !== undefined,
    samples: DOCUMENTED_SAMPLES,
    sampleQuery: [...sampleUrl.searchParams],
    ...settings,
  };

  async function state(): Promise<StateList[]> {
    const { Items = [] } = await dynamoDb.send(new ScanCommand({ TableName: tableName, Limit: MAX_ITEMS }));
    const records = Items.map((item) => plain(item) as Json);
    const accounts = records.toSorted((a, b) => Number(b['receivedTime']) - Number(a['receivedTime']));
    const queues = queueNames.map((name): StateList => {
      const messages = sqs.messages(name);
      const items = messages.slice(-MAX_ITEMS).toReversed().map(readMessage);
      return { title: `Queue ${name}`, count: messages.length, items };
    });
    const events = history.events as unknown as Json[];
    return [
      { title: 'Official accounts', count: accounts.length, items: accounts },
      { title: 'Events', count: events.length, items: events },
      ...queues,
    ];
  }

  const actions: Record<string, (input: Json) => Promise<ActionResult>> = {
    '/replay': async ({ id }) => {
      const { view, body } = history.get(String(id)) ?? {};
      if (view === undefined || body === undefined) throw new Error('the delivery is not in the history');
      const headers = Object.entries(view.headers).filter(([name]) => !HOP_HEADERS.test(name));
      return send(new URL(`${webhookUrl}?${view.query}`), body, Object.fromEntries(headers));
    },
    '/send': async (input) => {
      const { query, body } = input as unknown as Composed;
      const url = new URL(webhookUrl);
      for (const [name, value] of query) url.searchParams.append(name, value);
      return send(token === undefined ? url : signUrl(url, token), body);
    },
  };

  async function send(url: URL, body: string | Buffer, headers = {}): Promise<ActionResult> {
    return { id: (await post(url, body, headers)).requestId };
  }

  /** Sends the history to a page, then each change. A slow page gets the changes when it can take them. */
  function stream({ headers }: IncomingMessage, response: ServerResponse): void {
    const [lastRun, lastPosition] = String(headers['last-event-id']).split(':');
    let position = lastRun === run ? Number(lastPosition) : 0;
    let timer: NodeJS.Timeout | undefined;
    const flush = () => {
      timer = undefined;
      for (let isComplete = false; !isComplete && !response.writableNeedDrain;) {
        const news = history.since(position);
        ({ position, isComplete } = news);
        // JSON.stringify writes no line breaks, so each message is a single data line.
        response.write(`id: ${run}:${position}\ndata: ${JSON.stringify(news)}\n\n`);
      }
    };
    const unsubscribe = history.subscribe(() => (timer ??= setTimeout(flush, NEWS_MS)));
    response.on('drain', flush).on('close', () => {
      unsubscribe();
      clearTimeout(timer);
    });
    response.writeHead(200, { ...HEADERS, 'content-type': 'text/event-stream' });
    response.write(`retry: 1000\nevent: hello\ndata: ${JSON.stringify(hello)}\n\n`);
    flush();
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname } = new URL(request.url ?? '', 'http://127.0.0.1');
    const reply = (status: number, body: object) =>
      void response.writeHead(status, { ...HEADERS, 'content-type': 'application/json' }).end(JSON.stringify(body));
    const action = actions[pathname];
    if (request.method === 'POST' && action !== undefined) {
      const body = await readBody(request, MAX_ACTION_BYTES);
      if (request.headers['x-inspector-token'] !== actionToken)
        return reply(403, { error: 'the token of the page is missing or old' });
      if (body === undefined) return reply(413, { error: 'the delivery is too large' });
      return reply(200, await action(JSON.parse(body.toString()) as Json));
    }
    request.resume();
    if (request.method !== 'GET') return reply(405, { error: 'Method Not Allowed' });
    if (pathname === '/events') return bus.serve(request, response);
    if (pathname === '/deliveries') return stream(request, response);
    if (pathname === '/state') return reply(200, await state());
    if (pathname === DESCRIPTION_PATH) return reply(200, { ...description, eventsUrl } satisfies Description);
    const file = fileOf(pathname);
    const content = file && (await readFile(file, 'utf8').catch(() => undefined));
    if (file === undefined || content === undefined) return reply(404, { error: 'Not Found' });
    response.writeHead(200, { ...HEADERS, 'content-type': `${TYPES.get(extname(file).slice(1))}; charset=utf-8` });
    response.end(extname(file) === '.ts' ? toJavaScript(content) : content);
  }

  const server = createServer((request, response) => {
    answer(request, response).catch(({ message }: Error) => {
      if (!response.headersSent) response.writeHead(500, HEADERS);
      response.end(JSON.stringify({ error: message }));
    });
  });
  const { url, close } = await listen(server, options.port);
  const eventsUrl = `${url}/events`;
  return { url, eventsUrl, close };
}

/** Returns the file at a path, which contains no `..`. */
function fileOf(pathname: string): string | undefined {
  const path = pathname === '/' ? '/index.html' : pathname;
  const [, module] = /^\/lit-html\/((?:directives\/)?[a-z-]+\.js)$/.exec(path) ?? [];
  if (module !== undefined) return join(LIT_HTML, module);
  return /^\/[a-z-]+\.(html|css|svg|ts)$/.test(path) ? join(PAGE, path) : undefined;
}

/** Removes the types, and replaces the names of lit-html's modules by their paths on this server. */
function toJavaScript(content: string): string {
  const names = /(?<= from ')lit-html(\/[^']+)?(?=')/g;
  return stripTypeScriptTypes(content).replaceAll(names, (_, path = '/lit-html.js') => `/lit-html${path}`);
}

/** Reads a message of a queue, and decodes its body. Another program may have put the message there. */
function readMessage(text: string): Json {
  const message = Object(parseJson(text) ?? { text }) as Json;
  const { body } = message;
  return typeof body === 'string' ? { ...message, body: Buffer.from(body, 'base64').toString() } : message;
}
