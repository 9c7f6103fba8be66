import { html, nothing, type TemplateResult } from 'lit-html';
import { repeat } from 'lit-html/directives/repeat.js';
import type { Json, StateList } from '../protocol.ts';
import { code, note, section } from './detail.ts';
import { localDate, show } from './text.ts';

/** Fields that name an item, if it has them. */
const TITLES = ['detail-type', 'reason', 'field', 'officialAccountId', 'name', 'requestId'];

const sizeOf = (count: number) => (count === 0 ? 'Empty' : `${count.toLocaleString()}, the newest first`);
const keyOf = (value: Json) => JSON.stringify(value);

/** Shows what the deployment contains. @param isKnown Returns whether the page has a delivery. */
export function stateView(lists: readonly StateList[], isKnown: (id: unknown) => boolean): TemplateResult {
  const item = (value: Json) => {
    const fields: Json = { ...value, ...Object(value['detail']) };
    const id = fields['requestId'];
    return html`<details>
      <summary>
        ${TITLES.map((name) => html`<bdi>${show(fields[name]).slice(0, 200)}</bdi> `)}
        <time>${localDate(fields['receivedTime'])}</time>
      </summary>
      ${isKnown(id) ? html`<a href="#${id}">Show the delivery</a>` : nothing} ${code(JSON.stringify(value))}
    </details>`;
  };
  return html`<article>
    <h2>Deployment</h2>
    ${lists.map(({ title, count, items }) => section(title, note(sizeOf(count)), repeat(items, keyOf, item)))}
    ${note('To send dead letters back: npm run dead-letters -- --help')}
  </article>`;
}
