import type { Hello, InspectedDelivery } from '../protocol.ts';

/** Depth up to which JSON is indented. The indentation of deeper values could need gigabytes. */
const MAX_DEPTH = 50;
const TOKENS = /"(?:[^"\\]+|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g;

/** Returns why a text is not JSON. */
export function jsonProblem(text: string): string | undefined {
  try {
    JSON.parse(text);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/** Indents JSON. Only white space moves: numbers, escapes and repeated keys stay. Other text stays as it is. */
export function formatJson(text: string): string {
  if (jsonProblem(text) !== undefined) return text;
  const newLine = () => `\n${'  '.repeat(depth)}`;
  let [depth, before, formatted] = [0, '', ''];
  for (const [token] of text.matchAll(TOKENS)) {
    const isAfterStart = before === '{' || before === '[';
    const isEnd = token === '}' || token === ']';
    if (isEnd) depth -= 1;
    if (isEnd !== isAfterStart) formatted += newLine();
    formatted += token;
    if (token === ',') formatted += newLine();
    if (token === ':') formatted += ' ';
    if (token === '{' || token === '[') depth += 1;
    if (depth > MAX_DEPTH) return text;
    before = token;
  }
  return formatted;
}

/** Control characters, half surrogates, and marks that are invisible or change the direction of text. */
const INVISIBLE = /[\p{Cc}\p{Cs}\u061c\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/gu;

/** Formats an untrusted value. Invisible characters become escapes, except for tabs and line breaks. */
export function show(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
  return text.replaceAll(INVISIBLE, (character) => {
    if (character === '\n' || character === '\t') return character;
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}

const TIME = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium' });
const DATE = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'long' });

/** Formats a time in the viewer's zone, or returns an empty text for anything but Unix milliseconds. */
export function localDate(time: unknown, format = DATE): string {
  return typeof time === 'number' && time > 1e12 && time < 8e15 ? format.format(time) : '';
}
export const localTime = (time: number): string => localDate(time, TIME);

/** Returns a parameter of the URL. As in the receiver, its name may be in any case. */
export function parameter({ query }: InspectedDelivery, wanted: string): string | undefined {
  return [...new URLSearchParams(query)].find(([name]) => name.toLowerCase() === wanted.toLowerCase())?.[1];
}

export const shortCommand = (command: string | undefined): string =>
  command?.replace(/^OfficialAccount\.Callback/, '') ?? 'no command';

/** What happened to a delivery, as in the log of the receiver, or what API Gateway replied without the receiver. */
export function outcomeOf({ log, reply }: InspectedDelivery): string {
  const ownReplies: Record<number, string> = { 413: 'too large', 500: 'crashed' };
  return String(log?.['outcome'] ?? ownReplies[reply?.status ?? 0] ?? 'pending');
}

export function reasonOf({ log }: InspectedDelivery): string | undefined {
  return (log?.['forwardFailure'] ?? log?.['reason']) as string | undefined;
}

/** Quotes a text for a POSIX shell. */
const quote = (text: string) => `'${text.replaceAll("'", String.raw`'\''`)}'`;

/** Returns the start of a pipe that writes the body. */
function writeBody({ text, base64 }: InspectedDelivery['body']): string {
  // A terminal may run the rest of a pasted text after a control character, also inside of quotes.
  if (base64 === undefined && !/[^\P{C}\n]/u.test(text)) return `printf %s ${quote(text)}`;
  return `printf %s ${base64 ?? btoa(String.fromCharCode(...new TextEncoder().encode(text)))} | base64 -d`;
}

/** Returns a curl command that repeats a delivery, byte for byte. */
export function curlCommand({ query, headers, body }: InspectedDelivery, { webhookUrl }: Hello): string {
  // Without the header, curl would send a content type of its own.
  const header = `Content-Type:${headers['content-type'] ?? ''}`;
  return `${writeBody(body)} | curl -g ${quote(`${webhookUrl}?${query}`)} -H ${quote(header)} --data-binary @-`;
}

/** Returns an `npm run send` command for the same body and app, signed anew. */
export function sendCommand(delivery: InspectedDelivery, { webhookUrl }: Hello): string {
  const options = { '--sdk-app-id': 'SdkAppid', '--command': 'CallbackCommand', '--client-ip': 'ClientIP' };
  const texts = Object.entries({ ...options, '--opt-platform': 'OptPlatform' }).flatMap(([option, name]) => {
    const value = parameter(delivery, name);
    return value === undefined ? [] : [`${option}=${quote(value)}`];
  });
  return `${writeBody(delivery.body)} | npm run send -- --url=${quote(webhookUrl)} ${texts.join(' ')} --file=/dev/stdin`;
}
