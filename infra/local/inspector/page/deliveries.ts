import { html, nothing, type TemplateResult } from 'lit-html';
import { repeat } from 'lit-html/directives/repeat.js';
import type { InspectedDelivery } from '../protocol.ts';
import { localDate, localTime, outcomeOf, reasonOf, shortCommand, show } from './text.ts';

/** Height of a row in pixels, as in style.css. */
const ROW = 52;
const MARGIN = 8; // rows above and below the visible ones

/** The values by which the list can be filtered. */
const CHOICES = {
  outcome: outcomeOf,
  reason: reasonOf,
  command: ({ command }: InspectedDelivery) => shortCommand(command),
};
const NAMES = Object.keys(CHOICES) as (keyof typeof CHOICES)[];

export type Filters = Record<keyof typeof CHOICES | 'text', string>;
export const NO_FILTERS: Filters = { text: '', outcome: '', reason: '', command: '' };

function isFound({ id, officialAccountId = '', body }: InspectedDelivery, text: string): boolean {
  return [id, officialAccountId, body.text].some((each) => each.toLowerCase().includes(text));
}

export function filtered(all: readonly InspectedDelivery[], filters: Filters): readonly InspectedDelivery[] {
  const text = filters.text.trim().toLowerCase();
  const names = NAMES.filter((name) => filters[name] !== '');
  if (text === '' && names.length === 0) return all;
  return all.filter(
    (delivery) =>
      names.every((name) => CHOICES[name](delivery) === filters[name]) && (text === '' || isFound(delivery, text)),
  );
}

/** Controls that filter the list. The choices are the values that occur. */
export function filterBar(
  all: readonly InspectedDelivery[],
  shown: number,
  filters: Filters,
  change: (filters: Filters) => void,
): TemplateResult {
  const set = (name: keyof Filters) => (event: Event) =>
    change({ ...filters, [name]: (event.target as HTMLInputElement | HTMLSelectElement).value });
  const select = (name: keyof typeof CHOICES) => {
    const values = new Set([...all.map(CHOICES[name]), filters[name]]);
    const options = [...values].filter(Boolean).toSorted();
    return html`<select aria-label="Filter by ${name}" @change=${set(name)}>
      <option value="" ?selected=${filters[name] === ''}>${name}</option>
      ${options.map((value) => html`<option value=${value} ?selected=${value === filters[name]}>${show(value)}</option>`)}
    </select>`;
  };
  return html`<div class="filters" role="search">
    <input
      id="search"
      type="search"
      placeholder="Search in IDs and bodies"
      aria-label="Search in IDs and bodies"
      .value=${filters.text}
      @input=${set('text')}
    />
    <div class="selects">${NAMES.map(select)}</div>
    <p class="note" aria-live="polite">${shown.toLocaleString()} of ${all.length.toLocaleString()}, newest first</p>
  </div>`;
}

/** The first visible row while the list is scrolled, so that new deliveries do not move the rows. */
let top: { number: number; offset: number } | undefined;

/** List of deliveries. It contains only the rows near the visible ones. */
export function deliveryList(
  shown: readonly InspectedDelivery[],
  selectedId: string,
  update: () => void,
): TemplateResult {
  const scroller = document.querySelector('.scroller');
  const first = Math.max(0, Math.floor((scroller?.scrollTop ?? 0) / ROW) - MARGIN);
  const rows = shown.slice(first, first + Math.ceil((scroller?.clientHeight || innerHeight) / ROW) + 2 * MARGIN);
  const onScroll = ({ currentTarget }: Event) => {
    const { scrollTop } = currentTarget as Element;
    const delivery = shown[Math.floor(scrollTop / ROW)];
    top = scrollTop > 0 && delivery ? { number: delivery.number, offset: scrollTop % ROW } : undefined;
    update();
  };
  return html`<div class="scroller" @scroll=${onScroll}>
    ${shown.length === 0 ? html`<p class="note empty">No delivery.</p>` : nothing}
    <ol data-first=${first} data-total=${shown.length} aria-label="Deliveries">
      ${repeat(
        rows,
        ({ id }) => id,
        (delivery, index) =>
          html`<li aria-setsize=${shown.length} aria-posinset=${first + index + 1}>${row(delivery, selectedId)}</li>`,
      )}
    </ol>
  </div>`;
}

function row(delivery: InspectedDelivery, selectedId: string): TemplateResult {
  const { id, time, reply, command, officialAccountId = '', redrive } = delivery;
  const later = redrive && `then ${show(redrive['outcome'])}`;
  const results = [later, reasonOf(delivery), reply?.status, reply && `${reply.ms} ms`];
  return html`<a href="#${id}" aria-current=${id === selectedId ? 'true' : nothing}>
    <span class="line">
      ${badge(delivery)}<span class="main">${show(shortCommand(command))}</span>
      <time datetime=${new Date(time).toISOString()} title="${localDate(time)} (${time})">${localTime(time)}</time>
    </span>
    <span class="line">
      <bdi class="main mono">${show(officialAccountId.slice(0, 200))}</bdi>
      <span class="note">${results.filter((result) => result !== undefined).join(' · ')}</span>
    </span>
  </a>`;
}

export const badge = (delivery: InspectedDelivery): TemplateResult =>
  html`<strong data-outcome=${outcomeOf(delivery)}>${outcomeOf(delivery)}</strong>`;

/** Sets the height of the list and the place of its rows, which the Content-Security-Policy allows only from a script. */
export function placeRows(shown: readonly InspectedDelivery[], update: () => void): void {
  const rows = document.querySelector<HTMLElement>('ol');
  const scroller = rows?.parentElement;
  if (!rows || !scroller) return;
  rows.style.height = `${Number(rows.dataset['total']) * ROW}px`;
  rows.style.paddingTop = `${Number(rows.dataset['first']) * ROW}px`;
  if (top === undefined) return;
  const { number, offset } = top;
  const index = shown.findIndex((delivery) => delivery.number <= number);
  if (index === -1 || Math.abs(scroller.scrollTop - index * ROW - offset) < 1) return;
  scroller.scrollTop = index * ROW + offset;
  update();
}

/** Scrolls the list so that a row is visible. */
export function revealRow(index: number): void {
  const scroller = document.querySelector('.scroller');
  if (scroller === null) return;
  const { scrollTop, clientHeight } = scroller;
  scroller.scrollTop = Math.min(index * ROW, Math.max(scrollTop, (index + 1) * ROW - clientHeight));
}
