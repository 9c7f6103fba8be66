import { html, nothing, type TemplateResult } from 'lit-html';
import type { Composed, Hello, InspectedDelivery, Json, Parameter } from '../protocol.ts';
import { formatJson, jsonProblem, shortCommand } from './text.ts';

/** A delivery that the user edits. */
export interface Draft extends Composed {
  title: string;
  query: Parameter[];
}

export function draftOf({ query, body }: InspectedDelivery): Draft {
  const parameters = [...new URLSearchParams(query)].filter(([name]) => !/^(sign|requesttime)$/i.test(name));
  return { title: 'Edit and replay', query: parameters, body: formatJson(body.text) };
}

const SAMPLE_TITLE = 'Send a sample';

/** Creates a draft from a documented sample, with the current time. */
export function sampleDraft({ sampleQuery, samples }: Hello, index = 0): Draft {
  const sample: Json = { ...samples[index], EventTime: Date.now() };
  const query: Parameter[] = [...sampleQuery, ['CallbackCommand', String(sample['CallbackCommand'])]];
  return { title: SAMPLE_TITLE, query, body: JSON.stringify(sample, null, 2) };
}

type Choose = (draft: Draft | undefined) => void;
type Send = (draft: Draft) => void;

/** Dialog that edits a delivery. @param choose Replaces the draft, or closes the dialog. */
export function editor(draft: Draft | undefined, hello: Hello, choose: Choose, send: Send): TemplateResult {
  return html`<dialog aria-labelledby="editor-title" @close=${() => choose(undefined)}>
    ${draft === undefined ? nothing : form(draft, hello, choose, send)}
  </dialog>`;
}

function form(draft: Draft, hello: Hello, choose: Choose, send: Send): TemplateResult {
  const valueOf = ({ target }: Event) => (target as HTMLInputElement | HTMLTextAreaElement).value;
  const setBody = (body: string) => choose(Object.assign(draft, { body }));
  const format = () => setBody(formatJson(draft.body));
  const problem = jsonProblem(draft.body);
  const onSubmit = (event: Event) => {
    event.preventDefault();
    send(draft);
  };
  const field = (parameter: Parameter) =>
    html`<label>
      <span>${parameter[0]}</span>
      <input spellcheck="false" .value=${parameter[1]} @input=${(event: Event) => (parameter[1] = valueOf(event))} />
    </label>`;
  return html`<form @submit=${onSubmit}>
    <h2 id="editor-title">${draft.title}</h2>
    ${draft.title === SAMPLE_TITLE ? sampleChoice(hello, choose) : nothing} ${draft.query.map(field)}
    <p class="note">
      ${hello.isAuthenticated ? 'Sign and RequestTime are added, with the token of this deployment.' : 'Sent unsigned.'}
    </p>
    <label>
      <span>Body</span>
      <textarea
        spellcheck="false"
        rows="12"
        aria-describedby="json"
        .value=${draft.body}
        @blur=${format}
        @input=${(event: Event) => setBody(valueOf(event))}
        @paste=${() => setTimeout(format)}
      ></textarea>
    </label>
    <p id="json" class="note" role="status">${problem === undefined ? 'Valid JSON' : `Not JSON: ${problem}`}</p>
    <div class="toolbar">
      <button class="primary">Send</button>
      <button type="button" @click=${() => choose(undefined)}>Cancel</button>
    </div>
  </form>`;
}

function sampleChoice(hello: Hello, choose: (draft: Draft) => void): TemplateResult {
  const onChange = ({ target }: Event) => choose(sampleDraft(hello, (target as HTMLSelectElement).selectedIndex));
  return html`<label>
    <span>Sample</span>
    <select @change=${onChange}>
      ${hello.samples.map((sample) => html`<option>${shortCommand(String(sample['CallbackCommand']))}</option>`)}
    </select>
  </label>`;
}
