import { createHash } from 'node:crypto';
import { once } from 'node:events';
import * as http from 'node:http';
import * as https from 'node:https';
import { isIP, type Socket } from 'node:net';
import type { APIGatewayProxyStructuredResultV2 } from 'aws-lambda';
import { createBreaker } from './breaker.ts';
import { bodyBytes, receivedTime, type Delivery, type ForwardResult } from './delivery.ts';
import { CHAT_TIMEOUT_MS, CONNECT_LIMITS, MAX_ANSWER_BYTES, MIN_FORWARD_MS, withTimeout } from './limits.ts';

/**
 * Minimum wait after which a time-out counts for the breaker. A slow cold start leaves the backend less time. Then a
 * time-out does not show that the backend hangs.
 */
const MIN_TIMEOUT_MS = CHAT_TIMEOUT_MS / 2;

export interface Forwarder {
  /** Opens a TLS connection during init, beside the other preparations. With `http:`, does nothing. Never throws. */
  connect(): Promise<void>;
  /**
   * Sends a delivery with its end-to-end headers to the backend. Returns the answer with the end-to-end headers of the
   * answer. Never throws.
   */
  forward(delivery: Delivery): Promise<ForwardResult>;
}

/**
 * Creates the forwarder to the app's own backend. The backend must verify Sign itself, because deliveries are forwarded
 * before they are checked.
 *
 * @param forwardUrl Without query and fragment.
 * @param uniqueText Any text that no other deployment has. Its hash marks forwarded deliveries.
 */
export function createForwarder(forwardUrl: string, uniqueText: string, breaker = createBreaker()): Forwarder {
  const url = new URL(forwardUrl);
  const isTls = url.protocol === 'https:';
  const { request } = isTls ? https : http;
  const agent = isTls ? new TlsAgent({ keepAlive: true }) : new http.Agent({ keepAlive: true });
  const loopId = `tencent-chat-webhook-${createHash('sha256').update(uniqueText).digest('hex').slice(0, 16)}`;

  async function forward(delivery: Delivery): Promise<ForwardResult> {
    const start = performance.now();
    const ms = () => Math.round(performance.now() - start);
    if (hasPassed(delivery, loopId)) return { failure: 'forwardLoop', ms: 0 };
    if (!breaker.allows()) return { failure: 'backendTimedOut', errorCode: 'BreakerOpen', ms: 0 };
    const outgoing = new AbortController();
    const waitMs = Math.max(MIN_FORWARD_MS, CHAT_TIMEOUT_MS - (Date.now() - receivedTime(delivery)));
    try {
      const totalMs = Math.min(waitMs, CHAT_TIMEOUT_MS);
      const answer = await withTimeout({ totalMs }, exchange(delivery, outgoing.signal), () => outgoing.abort());
      breaker.ended();
      return { answer, ms: ms() };
    } catch (error) {
      const { code, name } = error as NodeJS.ErrnoException;
      if (name !== 'TimeoutError') breaker.ended();
      else if (waitMs >= MIN_TIMEOUT_MS) breaker.timedOut();
      return {
        failure: name === 'TimeoutError' ? 'backendTimedOut' : 'backendFailed',
        errorCode: code ?? name,
        ms: ms(),
      };
    }
  }

  /**
   * Sends the request and returns the answer. Sends it once more if the backend closes a reused connection without a
   * byte of an answer. Usually the backend closed the idle connection while the request was on its way. A backend that
   * crashes while it handles a request gets the request twice.
   */
  async function exchange(delivery: Delivery, signal: AbortSignal): Promise<APIGatewayProxyStructuredResultV2> {
    const body = bodyBytes(delivery);
    const options: https.RequestOptions = {
      method: 'POST',
      path: delivery.rawQueryString ? `${url.pathname}?${escapeForUrl(delivery.rawQueryString)}` : url.pathname,
      headers: { ...requestHeaders(delivery, loopId), 'content-length': body.length },
      agent,
      signal,
    };
    for (let isRetry = false; ; isRetry = true) {
      const outgoing = request(url, options);
      let socket: Socket | undefined;
      let bytesBefore = 0;
      outgoing.once('socket', (assigned: Socket) => {
        socket = assigned;
        bytesBefore = assigned.bytesRead;
      });
      try {
        outgoing.end(body);
        return await readAnswer(await responseTo(outgoing));
      } catch (error) {
        outgoing.destroy();
        const wasOpen = outgoing.reusedSocket || (socket !== undefined && openedDuringInit.has(socket));
        const isSilent = socket?.bytesRead === bytesBefore;
        if (isRetry || signal.aborted || !wasOpen || !isSilent) throw error;
      }
    }
  }

  return {
    forward,
    async connect() {
      if (!(agent instanceof TlsAgent)) return;
      await withTimeout(CONNECT_LIMITS, agent.connect(url)).catch(() => {}); // the first delivery reports the error
    },
  };
}

/** Connections that were opened before there was a request for them. */
const openedDuringInit = new WeakSet<Socket>();

/** Agent that can open a connection in advance. */
class TlsAgent extends https.Agent {
  #spare: Socket | undefined;

  async connect({ hostname, port }: URL): Promise<void> {
    const servername = isIP(hostname) === 0 ? hostname : '';
    const options = { host: hostname, port: Number(port) || 443, servername, keepAlive: true };
    const socket = super.createConnection(options, undefined as never) as Socket;
    socket.on('error', () => {}); // the request that uses the socket reports the error
    await once(socket, 'secureConnect');
    openedDuringInit.add(socket);
    this.#spare = socket;
  }

  /** @see https://nodejs.org/docs/latest-v24.x/api/http.html#agentcreateconnectionoptions-callback */
  override createConnection(...args: Parameters<https.Agent['createConnection']>) {
    const spare = this.#spare;
    this.#spare = undefined;
    return spare !== undefined && !spare.destroyed ? spare : super.createConnection(...args);
  }
}

/** Returns the head of the answer. @throws if there is none, for example because the backend replies with a 101. */
function responseTo(outgoing: http.ClientRequest): Promise<http.IncomingMessage> {
  return new Promise((resolve, reject) => {
    outgoing.once('response', resolve).once('error', reject);
    outgoing.once('close', () => reject(new NoAnswerError()));
  });
}

class NoAnswerError extends Error {
  override name = 'NoAnswerError';
}

/**
 * Headers for a single connection, which are not forwarded. @see https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1
 */
const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/**
 * Returns a filter of end-to-end headers.
 *
 * @param connection Value of the header Connection, which names further headers that must not be forwarded.
 */
function endToEndFilter(connection = ''): (name: string) => boolean {
  const named = new Set(connection.split(',').map((name) => name.trim().toLowerCase()));
  return (name) => !HOP_BY_HOP.has(name) && !named.has(name);
}

/** Headers that Node sets itself, or that only API Gateway has a use for. */
const NOT_FORWARDED = /^(host|content-length|expect|x-amzn-.*)$/;

function requestHeaders({ headers, cookies }: Delivery, loopId: string): Record<string, string> {
  const keeps = endToEndFilter(headers['connection']);
  const forwarded: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined && keeps(name) && !NOT_FORWARDED.test(name)) forwarded[name] = toHeaderBytes(value);
  }
  if (cookies !== undefined) forwarded['cookie'] = cookies.join('; ');
  forwarded[CDN_LOOP] = [headers[CDN_LOOP], loopId].filter(Boolean).join(', ');
  return forwarded;
}

/** Node rejects characters that are not ASCII. AWS does not document whether API Gateway passes any. */
function escapeForUrl(query: string): string {
  return query.toWellFormed().replaceAll(/[^\u0021-\u007E]+/g, encodeURIComponent);
}

/** Encodes a value as UTF-8 if it has characters that are not Latin-1, because Node rejects them. */
function toHeaderBytes(value: string): string {
  return /[^\0-\u00FF]/.test(value) ? Buffer.from(value).toString('latin1') : value;
}

/** @see https://www.rfc-editor.org/rfc/rfc8586 */
const CDN_LOOP = 'cdn-loop';

/** Returns whether this deployment has forwarded the delivery before. */
function hasPassed({ headers }: Delivery, loopId: string): boolean {
  return (headers[CDN_LOOP] ?? '').split(',').some((cdn) => cdn.split(';')[0]?.trim() === loopId);
}

/**
 * Reads an answer: status, end-to-end headers, cookies and body.
 *
 * @throws if it is too large or is cut short.
 */
async function readAnswer(incoming: http.IncomingMessage): Promise<APIGatewayProxyStructuredResultV2> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MAX_ANSWER_BYTES) throw new AnswerTooLargeError(); // leaving the loop closes the connection
    chunks.push(chunk);
  }
  const keeps = endToEndFilter(incoming.headers.connection);
  const headers: Record<string, string> = {};
  for (const [name, values = []] of Object.entries(incoming.headersDistinct)) {
    // API Gateway sets the length. Set-Cookie cannot be joined.
    if (keeps(name) && name !== 'content-length' && name !== 'set-cookie') headers[name] = values.join(', ');
  }
  const { 'set-cookie': cookies } = incoming.headers;
  return {
    statusCode: incoming.statusCode!, // the headers of an answer always come with a status
    headers,
    ...(cookies !== undefined && { cookies }),
    body: Buffer.concat(chunks).toString('base64'),
    isBase64Encoded: true,
  };
}

class AnswerTooLargeError extends Error {
  override name = 'AnswerTooLargeError';
}
