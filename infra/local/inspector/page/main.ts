import { html, nothing, render, type TemplateResult } from 'lit-html';
import type { ActionResult, Hello, InspectedDelivery, News, StateList } from '../protocol.ts';
import { deliveryList, filterBar, filtered, NO_FILTERS, placeRows, revealRow } from './deliveries.ts';
import { detail } from './detail.ts';
import { draftOf, editor, sampleDraft, type Draft } from './editor.ts';
import { stateView } from './state.ts';
import { curlCommand, sendCommand } from './text.ts';

/** Pause after which the state of the deployment is read again while deliveries arrive. */
const REFRESH_MS = 500;

let hello: Hello | undefined;
let isLive = false;
/** By number. A changed delivery replaces its earlier state. */
const byNumber = new Map<number, InspectedDelivery>();
/** The newest first. */
let all: readonly InspectedDelivery[] = [];
let filters = NO_FILTERS;
let draft: Draft | undefined;
let notice = '';
/** ID of a delivery that an action has sent, until the page has got it. */
let awaited: string | undefined;
let state: StateList[] = [];

function connect(): void {
  const source = new EventSource('/deliveries');
  source.addEventListener('hello', ({ data }: MessageEvent<string>) => {
    const next = JSON.parse(data) as Hello;
    if (hello?.run !== next.run) byNumber.clear(); // npm start has been restarted
    hello = next;
    isLive = true;
    update();
  });
  source.addEventListener('message', ({ data }: MessageEvent<string>) => take(JSON.parse(data) as News));
  source.addEventListener('error', () => {
    isLive = false;
    update();
    // The browser connects again by itself, except after an answer that is no stream.
    if (source.readyState === EventSource.CLOSED) setTimeout(connect, REFRESH_MS);
  });
}

function take({ deliveries, oldest }: News): void {
  for (const delivery of deliveries) byNumber.set(delivery.number, delivery);
  for (const number of byNumber.keys()) if (number < oldest) byNumber.delete(number);
  all = [...byNumber.values()].toSorted((a, b) => b.number - a.number);
  if (deliveries.some(({ id }) => id === awaited)) select(awaited!);
  update();
  refresh();
}

let refreshing: number | undefined;
/** Reads the state of the deployment again if it is shown. */
function refresh(): void {
  if (route() !== 'state') return;
  refreshing ??= setTimeout(async () => {
    refreshing = undefined;
    const response = await fetch('/state').catch(() => undefined); // npm start has ended
    if (response?.ok) state = (await response.json()) as StateList[];
    update();
  }, REFRESH_MS);
}

/** Sends a delivery, and selects it. */
async function act(path: string, input: object): Promise<void> {
  notify('Sending …');
  const headers = { 'x-inspector-token': hello?.actionToken ?? '' };
  const result = await fetch(path, { method: 'POST', headers, body: JSON.stringify(input) })
    .then((response) => response.json() as Promise<ActionResult>)
    .catch((): ActionResult => ({ error: 'npm start does not answer' }));
  if ('error' in result) return notify(`Not sent: ${result.error}`);
  notify('Sent');
  awaited = result.id;
  if (all.some(({ id }) => id === awaited)) select(result.id);
}

function notify(text: string): void {
  notice = text;
  update();
}

async function copy(text: string): Promise<void> {
  await navigator.clipboard.writeText(text).then(
    () => notify('Copied'),
    () => notify('The browser does not allow copying'),
  );
}

function edit(next: Draft | undefined): void {
  draft = next;
  update();
}

function send({ query, body }: Draft): void {
  edit(undefined);
  void act('/send', { query, body });
}

/** Returns the ID of the selected delivery, `state`, or an empty text. */
const route = () => location.hash.slice(1);

function select(id: string): void {
  awaited = undefined;
  location.hash = `#${id}`;
}

const selected = () => all.find(({ id }) => id === route());

document.addEventListener('keydown', (event) => {
  const { key, target, altKey, ctrlKey, metaKey } = event;
  const isTyping = target instanceof HTMLElement && target.matches('input, select, textarea');
  if (isTyping && key === 'Escape') target.blur();
  if (isTyping || altKey || ctrlKey || metaKey || draft !== undefined) return;
  const delivery = selected();
  if (key === 'j' || key === 'k') move(key === 'j' ? 1 : -1);
  else if (key === '/' && route() !== 'state') document.getElementById('search')?.focus();
  else if (key === 'r' && delivery !== undefined) void act('/replay', { id: delivery.id });
  else return;
  event.preventDefault();
});

/** Selects the next or the previous delivery of the list. */
function move(step: number): void {
  const list = filtered(all, filters);
  const index = list.findIndex(({ id }) => id === route());
  const next = list[index === -1 ? 0 : index + step];
  if (next === undefined) return;
  select(next.id);
  revealRow(list.indexOf(next));
  update();
  requestAnimationFrame(() => document.querySelector<HTMLElement>('ol [aria-current]')?.focus({ preventScroll: true }));
}

let isScheduled = false;
/** Renders with the next frame. */
function update(): void {
  if (isScheduled) return;
  isScheduled = true;
  requestAnimationFrame(() => {
    isScheduled = false;
    const list = filtered(all, filters);
    render(page(list), document.body);
    placeRows(list, update);
    const dialog = document.querySelector('dialog');
    if (dialog !== null && dialog.open !== (draft !== undefined)) dialog[draft === undefined ? 'close' : 'showModal']();
  });
}

function page(list: readonly InspectedDelivery[]): TemplateResult {
  const isState = route() === 'state';
  const current = (isCurrent: boolean) => (isCurrent ? 'page' : nothing);
  const newSample = () => hello && edit(sampleDraft(hello));
  return html`<header>
      <h1>Inspector</h1>
      <nav aria-label="Views">
        <a href="#" aria-current=${current(!isState)}>Deliveries</a>
        <a href="#state" aria-current=${current(isState)}>Deployment</a>
      </nav>
      <p class="note" role="status">${notice}</p>
      <p class="note connection" role="status" data-live=${isLive}>${isLive ? 'live' : 'connecting …'}</p>
      <button class="primary" @click=${newSample}>Send a sample</button>
    </header>
    ${
      isState
        ? html`<main>${stateView(state, (id) => all.some((delivery) => delivery.id === id))}</main>`
        : html`<main class="split" data-detail=${route() !== ''}>${listPane(list)} ${detailPane()}</main>`
    }
    ${hello ? editor(draft, hello, edit, send) : nothing}`;
}

function listPane(list: readonly InspectedDelivery[]): TemplateResult {
  const change = (next: typeof filters) => {
    filters = next;
    update();
  };
  return html`<div class="list">
    ${filterBar(all, list.length, filters, change)} ${deliveryList(list, route(), update)}
    <p class="keys note"><kbd>j</kbd> <kbd>k</kbd> next, previous <kbd>/</kbd> search <kbd>r</kbd> replay</p>
  </div>`;
}

function detailPane(): TemplateResult {
  const [known, delivery] = [hello, selected()];
  if (known === undefined) return html`<p class="note empty">Connecting to npm start …</p>`;
  if (delivery === undefined) {
    const text = route() === '' ? 'Select a delivery.' : 'This delivery is not in the history.';
    return html`<p class="note empty">${text} The webhook is ${known.webhookUrl}</p>`;
  }
  return detail(delivery, known, {
    Replay: () => void act('/replay', { id: delivery.id }),
    'Edit and replay': () => edit(draftOf(delivery)),
    'Copy as curl': () => void copy(curlCommand(delivery, known)),
    'Copy as npm run send': () => void copy(sendCommand(delivery, known)),
  });
}

addEventListener('hashchange', () => {
  update();
  refresh();
});
addEventListener('resize', update);
setInterval(update, 10_000); // a Sign expires
connect();
update();
refresh();
