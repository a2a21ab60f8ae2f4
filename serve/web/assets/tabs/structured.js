// The structured tab: what an answer must be, how far it is that, and what may come next.
import { post, events } from '../api.js';
import { h, problem, slider } from '../dom.js';
import { bar, given, later, percent, pieces, shown } from '../ask.js';
import { formats } from './structured-formats.js';

const shownTokens = 24;

export function mount(el, shell) {
  const sources = Object.fromEntries(formats.map((f) => [f.id, f.example]));
  const fields = { temperature: 0.8, max_tokens: 200 };
  let ids = null; // of the answer; null: it was typed
  let running = null; // of a text that is being written
  let asked = 0;

  const kind = h('select', { id: 'structured-kind' }, formats.map((f) => h('option', { value: f.id }, f.title)));
  const source = h('textarea', { id: 'structured-source', class: 'code', rows: '15', spellcheck: 'false', value: formats[0].example });
  const sourceNotes = h('div', { id: 'structured-notes' });
  const prompt = h('textarea', { id: 'structured-prompt', rows: '3', value: 'Describe a person from a story.' });
  const answer = h('textarea', { id: 'structured-answer', class: 'code', rows: '7', spellcheck: 'false', 'aria-describedby': 'structured-state' });
  const state = h('p', { id: 'structured-state', class: 'state', role: 'status' });
  const message = h('div');
  const trouble = h('div'); // of what was written
  const held = h('input', { type: 'checkbox', id: 'structured-held', checked: true });
  const write = h('button', { type: 'button', class: 'primary', onclick: () => start() }, 'Write');
  const step = h('button', { type: 'button', onclick: () => best && take(best), disabled: true }, 'Next token');
  const stop = h('button', { type: 'button', hidden: true, onclick: () => running?.abort() }, 'Stop');
  const clear = h('button', { type: 'button', class: 'quiet', onclick: () => { set('', []); again(); } }, 'Clear');
  const summary = h('p', { class: 'mask-summary' });
  const rows = h('tbody');
  const table = h('table', { class: 'mask', hidden: true },
    h('thead', {}, h('tr', {}, ['Token', 'Model', 'In the format', ''].map((t, i) => h('th', { scope: 'col', class: i === 1 || i === 2 ? 'num' : '' }, t === '' ? h('span', { class: 'sr' }, 'Take it') : t)))), rows);
  let best = null; // the most probable token that may come
  let known = []; // the ids of the answer that the table is about

  const format = () => formats.find((f) => f.id === kind.value);
  const set = (text, known) => { answer.value = text; ids = known; };

  // request is the fields of the format; what is wrong with it is shown where it is.
  const request = () => {
    try {
      return format().fields(source.value);
    } catch (err) {
      sourceNotes.replaceChildren(problem(new Error(`This is not JSON yet: ${err.message}`)));
      return null;
    }
  };

  const look = async () => {
    if (!(shell.model || await shell.ready())) return;
    const mine = ++asked;
    const wanted = request();
    if (!wanted) return fail(null);
    const so = ids ? { completion_ids: ids } : { text: answer.value };
    try {
      const mask = await post('v1/mask', { model: shell.model.id, ...given(shell.model, prompt.value), ...wanted, ...so, top: shownTokens });
      if (mine !== asked) return;
      draw(mask);
    } catch (err) {
      if (mine === asked) fail(err);
    }
  };

  const fail = (err) => {
    best = null;
    step.disabled = true;
    table.hidden = true;
    summary.textContent = '';
    answer.removeAttribute('aria-invalid');
    state.replaceChildren(h('span', { class: 'badge' }, 'Not checked'));
    if (!err) return;
    const ofFormat = /^(response_format|regex|grammar|choices)/.test(err.param ?? '');
    (ofFormat ? sourceNotes : message).replaceChildren(problem(err));
    if (ofFormat) message.replaceChildren();
  };

  const draw = (mask) => {
    message.replaceChildren();
    sourceNotes.replaceChildren(...mask.notes.map((n) => h('p', { class: 'note' }, n)));
    if (!running && ids) set(mask.text, mask.completion_ids);
    answer.setAttribute('aria-invalid', String(!mask.valid_so_far));
    if (!mask.valid_so_far) {
      state.replaceChildren(h('span', { class: 'badge bad' }, 'Does not fit'), ` ${mask.error}.`);
    } else if (mask.complete) {
      state.replaceChildren(h('span', { class: 'badge good' }, 'Valid and complete'), mask.tokens.some((t) => t.allowed && !t.ends) ? ' It may end here or go on.' : ' Nothing but its end may follow.');
    } else {
      state.replaceChildren(h('span', { class: 'badge accent' }, 'Valid so far'), ` The shortest whole answer has ${mask.minimum_tokens} tokens, its end included.`);
    }
    best = mask.tokens.filter((t) => t.allowed && !t.ends).sort((a, b) => b.logprob - a.logprob)[0] ?? null;
    step.disabled = !best || Boolean(running);
    table.hidden = !mask.valid_so_far;
    summary.textContent = mask.valid_so_far
      ? `${mask.allowed_count} of ${mask.vocabulary} tokens may come next. The model gives them ${percent(mask.allowed_mass)} together; within the format they share all of it.`
      : '';
    known = mask.completion_ids;
    const sorted = mask.tokens.toSorted((a, b) => b.allowed - a.allowed || b.logprob - a.logprob);
    rows.replaceChildren(...sorted.map((t) => h('tr', { class: t.allowed ? '' : 'refused' },
      h('th', { scope: 'row', class: 'mono', title: `id ${t.id}` }, t.ends ? '(the end)' : shown(t)),
      h('td', { class: 'num' }, bar(h, Math.exp(t.logprob), 'soft'), h('span', {}, percent(Math.exp(t.logprob)))),
      h('td', { class: 'num' }, t.allowed ? [bar(h, t.share, 'good'), h('span', {}, percent(t.share))] : h('span', { class: 'no' }, 'refused')),
      h('td', {}, t.allowed && !t.ends && !running
        ? h('button', { type: 'button', class: 'small', 'aria-label': `Take ${shown(t)}`, onclick: () => take(t) }, 'Take')
        : null))));
  };

  // take appends a token that the user chose.
  const take = (t) => {
    ids = [...known, t.id];
    again();
  };

  const start = async () => {
    const wanted = held.checked ? request() : {};
    if (!wanted || !(shell.model || await shell.ready()) || running) return;
    running = new AbortController();
    let [text, written] = ['', []]; // what was there stays until something comes
    trouble.replaceChildren();
    busy(true);
    try {
      for await (const p of pieces(events, shell.model, prompt.value, { ...wanted, ...fields, return_token_ids: true }, { signal: running.signal })) {
        [text, written] = [text + p.text, [...written, ...p.ids]];
        set(text, written);
        answer.scrollTop = answer.scrollHeight;
        live();
      }
      shell.announce('The answer is written.');
    } catch (err) {
      if (err.name !== 'AbortError') trouble.replaceChildren(problem(err));
    } finally {
      running = null;
      busy(false);
      look();
    }
  };
  const busy = (on) => {
    write.hidden = on;
    stop.hidden = !on;
    for (const e of [clear, step, kind, source]) e.disabled = on;
  };
  // live looks at a text while it is written, not more often than it is answered.
  let looking = false;
  const live = async () => {
    if (looking) return;
    looking = true;
    await look();
    looking = false;
  };

  // again looks at what the user changed, which leaves what went wrong before behind.
  const again = () => {
    trouble.replaceChildren();
    look();
  };
  const soon = later(look, 250);
  el.addEventListener('input', () => trouble.replaceChildren());
  kind.addEventListener('change', () => {
    source.value = sources[kind.value];
    source.rows = kind.value === 'schema' ? 15 : 6;
    sourceLabel.textContent = format().title;
    set('', []);
    look();
  });
  source.addEventListener('input', () => { sources[kind.value] = source.value; soon(); });
  prompt.addEventListener('input', soon);
  answer.addEventListener('input', () => { ids = null; soon(); });
  shell.onModel((_, another) => {
    if (another && ids && !running) set('', []); // what was typed is for any model
    look();
  });

  const sourceLabel = h('span', {}, format().title);
  el.append(h('div', { class: 'page structured' },
    h('header', {}, h('h2', {}, 'Structured output'),
      h('p', {}, 'Say what the answer must be. Before each token, all those that would break the format are taken out of the model’s choice; the table shows which, and what is left.')),
    h('div', { class: 'columns' },
      h('div', {},
        h('label', { class: 'field', for: 'structured-kind' }, 'The answer is', kind),
        h('label', { class: 'field', for: 'structured-source' }, sourceLabel, source), sourceNotes,
        h('label', { class: 'field', for: 'structured-prompt' }, 'Prompt', prompt),
        h('div', { class: 'settings' },
          slider({ label: 'Temperature', min: 0, max: 2, step: 0.05, value: fields.temperature, onchange: (v) => { fields.temperature = v; } }),
          slider({ label: 'Tokens at most', min: 16, max: 500, step: 4, value: fields.max_tokens, onchange: (v) => { fields.max_tokens = v; } }))),
      h('div', {},
        h('label', { class: 'field', for: 'structured-answer' }, 'Answer', answer), state,
        h('div', { class: 'row' }, write, stop, step, clear, h('label', { class: 'check', for: 'structured-held' }, held, 'Hold it to the format')),
        trouble, message,
        h('h3', {}, 'What may come next'), summary,
        h('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Next tokens' }, table)))));
  set('', []);
  look();
  return { shown: () => { if (message.firstChild) look(); } }; // the server may be back
}
