import { html, nothing, type TemplateResult } from 'lit-html';
import type { Json, State } from '../protocol.ts';
import { code, note, section } from './detail.ts';
import { localDate, show } from './text.ts';

/** Shows what the deployment contains. @param isKnown Returns whether the page has a delivery. */
export function stateView(state: State | undefined, isKnown: (id: unknown) => boolean): TemplateResult {
  if (state === undefined) return html`<p class="note empty">Reading …</p>`;
  const { accounts, events, queues } = state;
  const account = (record: Json) => {
    const { officialAccountId, name, destroyedTime, receivedTime } = record;
    return item([officialAccountId, name, destroyedTime && 'destroyed'], receivedTime, JSON.stringify(record));
  };
  const event = (entry: Json) => {
    const { officialAccountId, name } = entry['detail'] as Json;
    return item(
      [entry['detail-type'], officialAccountId, name],
      Date.parse(String(entry['time'])),
      JSON.stringify(entry),
    );
  };
  const message = (text: string) => {
    const { reason, field, requestId, receivedTime, body } = parsed(text);
    const link = isKnown(requestId) ? html`<p><a href="#${requestId}">The delivery</a></p>` : nothing;
    return item(
      [reason, field, requestId],
      receivedTime,
      text,
      link,
      typeof body === 'string' ? code(decoded(body)) : '',
    );
  };
  return html`<article class="state">
    <h2>Deployment</h2>
    ${section('Official accounts', note('At most 200 records, the last received first.'), accounts.map(account))}
    ${section('Events', note('The last 500 events on the event bus, the newest first.'), events.map(event))}
    ${queues.map(({ name, count, messages }) =>
      section(`Queue ${name}`, note(`${count.toLocaleString()} messages. The newest 100:`), messages.map(message)),
    )}
    ${note('To send dead letters back, or to publish again: npm run dead-letters -- --help, npm run republish -- --help')}
  </article>`;
}

function item(titles: readonly unknown[], time: unknown, json: string, ...more: unknown[]): TemplateResult {
  const shown = titles.filter((title) => title !== undefined && title !== '');
  return html`<details>
    <summary>
      ${shown.map((title) => html`<bdi>${show(title).slice(0, 200)}</bdi> `)} <time>${localDate(time)}</time>
    </summary>
    ${code(json)} ${more}
  </details>`;
}

function parsed(message: string): Json {
  try {
    return Object(JSON.parse(message)) as Json;
  } catch {
    return {}; // somebody else has put the message into the queue
  }
}

function decoded(base64: string): string {
  try {
    return new TextDecoder().decode(Uint8Array.from(atob(base64), (character) => character.charCodeAt(0)));
  } catch {
    return base64;
  }
}
