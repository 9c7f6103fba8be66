import { html, nothing, type TemplateResult } from 'lit-html';
import type { Hello, InspectedDelivery, Json } from '../protocol.ts';
import { badge } from './deliveries.ts';
import { explain } from './explain.ts';
import { formatJson, jsonProblem, localDate, outcomeOf, parameter, reasonOf, shortCommand, show } from './text.ts';

/** Seconds for which a Sign is valid. */
const SIGN_SECONDS = 60;

/** Shows everything that is known about a delivery. @param actions The buttons, by their names. */
export function detail(delivery: InspectedDelivery, hello: Hello, actions: Readonly<Record<string, () => void>>) {
  const { id, number, time, sourceIp, query, headers, body, log, redrive, event } = delivery;
  const requestTime = Number(parameter(delivery, 'RequestTime'));
  const isSigned = hello.isAuthenticated && reasonOf(delivery) !== 'badSignature';
  const hasExpired = isSigned && Math.abs(Date.now() / 1000 - requestTime) > SIGN_SECONDS;
  return html`<article aria-labelledby="title">
    <p class="back"><a href="#">← All deliveries</a></p>
    <h2 id="title">${badge(delivery)} ${show(shortCommand(delivery.command))}</h2>
    <bdi class="mono">${show(delivery.officialAccountId ?? 'no official account')}</bdi>
    <p class="note">No. ${number}, received ${localDate(time)} (<code>${time}</code>), request ID <code>${id}</code></p>
    <div class="toolbar">
      ${Object.entries(actions).map(
        ([name, act]) =>
          html`<button ?disabled=${body.isTruncated && name !== 'Replay'} @click=${act}>${name}</button>`,
      )}
    </div>
    ${hasExpired ? note('The Sign has expired, so a replay is rejected. "Edit and replay" signs it anew.') : nothing}
    ${verdict(delivery, hello)}
    <div class="sections">
      ${section('Body', note(bodyNote(body)), code(body.text))} ${section('Record', record(delivery))}
      ${section('Event', event ? code(JSON.stringify(event)) : note(delivery.record ? 'None: no published attribute has changed.' : 'None: the record has not changed.'))}
      ${reply(delivery, hello)} ${section('Query', pairs([...new URLSearchParams(query)]))}
      ${section('Headers', pairs([...Object.entries(headers), ['calling address', sourceIp]]))}
      ${log ? section('Log line of the receiver', code(JSON.stringify(log))) : nothing}
      ${redrive ? section('Log line of the redrive', code(JSON.stringify(redrive))) : nothing}
    </div>
  </article>`;
}

function verdict(delivery: InspectedDelivery, hello: Hello): TemplateResult | typeof nothing {
  const explanation = explain(delivery, hello);
  if (explanation === undefined) return nothing;
  const isRejected = ['rejected', 'failed'].includes(outcomeOf(delivery));
  return html`<section class="verdict">
    <h3>${isRejected ? 'Rejected' : 'Not rejected, but wrong'}: ${show(reasonOf(delivery))}</h3>
    <p>${explanation.rule}</p>
    ${pairs(explanation.compared)}
    <p>${explanation.advice}</p>
  </section>`;
}

export function section(title: string, ...content: unknown[]): TemplateResult {
  return html`<section>
    <h3>${title}</h3>
    ${content}
  </section>`;
}

export const note = (text: string): TemplateResult => html`<p class="note">${text}</p>`;

/** Shows a text in full, indented if it is JSON. */
export function code(text: string): TemplateResult | typeof nothing {
  return text === '' ? nothing : html`<pre tabindex="0">${show(formatJson(text))}</pre>`;
}

function pairs(list: readonly (readonly [name: string, value: string | undefined])[]): TemplateResult {
  const valueOf = (value: string | undefined) => (value === undefined ? html`<em>missing</em>` : show(value));
  return html`<dl>
    ${list.map(
      ([name, value]) =>
        html`<dt>${show(name)}</dt>
          <dd><bdi>${valueOf(value)}</bdi></dd>`,
    )}
  </dl>`;
}

function bodyNote({ bytes, isTruncated, base64, text }: InspectedDelivery['body']): string {
  if (isTruncated && bytes === 0) return 'More than 10 MB: not kept';
  const size = `${bytes.toLocaleString()} bytes`;
  if (isTruncated) return `${size}, the first 64 KiB are shown`;
  if (base64 !== undefined) return `${size}, not UTF-8: wrong bytes are shown as �`;
  return bytes > 0 && jsonProblem(text) !== undefined ? `${size}, not JSON` : size;
}

const WITHOUT_CHANGE: Readonly<Record<string, string>> = {
  parked: 'Parked: not stored yet.',
  stale: 'Not changed: it already contains this event or a newer one, by EventTime.',
  ignored: 'Not changed: the receiver does not handle this command.',
};

/** Compares the record before and after. A changed row has marks, not only a colour. */
function record(delivery: InspectedDelivery): TemplateResult {
  if (delivery.record === undefined) {
    return note(WITHOUT_CHANGE[outcomeOf(delivery)] ?? 'Not changed, because the delivery was not stored.');
  }
  const { before = {}, after = {} } = delivery.record;
  const cell = (value: unknown, hasChanged: boolean, mark: (content: TemplateResult) => TemplateResult) => {
    const content = value === undefined ? html`` : html`<bdi title=${localDate(value)}>${show(value)}</bdi>`;
    return html`<td>${hasChanged ? mark(content) : content}</td>`;
  };
  const row = (name: string) => {
    const hasChanged = JSON.stringify((before as Json)[name]) !== JSON.stringify((after as Json)[name]);
    return html`<tr>
      <th scope="row">${show(name)}</th>
      ${cell((before as Json)[name], hasChanged, (content) => html`<del>${content}</del>`)}
      ${cell((after as Json)[name], hasChanged, (content) => html`<ins>${content}</ins>`)}
    </tr>`;
  };
  return html`<table>
    <tr>
      <th scope="col">Attribute</th>
      <th scope="col">Before</th>
      <th scope="col">After</th>
    </tr>
    ${[...new Set([...Object.keys(after), ...Object.keys(before)])].map(row)}
  </table>`;
}

function reply({ reply: answer, log }: InspectedDelivery, { forwardUrl }: Hello): TemplateResult {
  if (answer === undefined) return section('Reply', note('None yet.'));
  const isBackend = log?.['backendStatus'] !== undefined;
  const source = isBackend ? `, of which ${show(log['forwardMs'])} ms for ${forwardUrl}` : '';
  const title = isBackend ? 'Answer of your backend' : 'Reply';
  return section(title, note(`HTTP ${answer.status} after ${answer.ms} ms${source}`), code(answer.body));
}
