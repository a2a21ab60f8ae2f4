// The compare tab: one prompt to several models, side by side.
import { events } from '../api.js';
import { h, problem, slider } from '../dom.js';
import { percent, pieces } from '../ask.js';

export function mount(el, shell) {
  const fields = { temperature: 0.7, max_tokens: 120, seed: 1 };
  const prompt = h('textarea', { id: 'compare-prompt', rows: '3', value: 'Tell me about a dog that found a ball.' });
  const seed = h('input', { type: 'number', id: 'compare-seed', min: '0', step: '1', value: String(fields.seed) });
  const choice = h('fieldset', { class: 'models' });
  const columns = h('div', { class: 'answers' });
  const message = h('div');
  const write = h('button', { type: 'button', class: 'primary', onclick: () => start() }, 'Write');
  const stop = h('button', { type: 'button', hidden: true, onclick: () => running?.abort() }, 'Stop');
  let running = null;
  let known = '';

  const drawModels = () => {
    const ids = shell.models.map((m) => m.id).join('\n');
    if (ids === known) return;
    known = ids;
    const ticks = new Map([...choice.querySelectorAll('input')].map((i) => [i.value, i.checked]));
    choice.replaceChildren(h('legend', {}, 'Models'), ...shell.models.map((m, i) => h('label', { class: 'check' },
      h('input', { type: 'checkbox', name: 'compare-model', value: m.id, checked: ticks.get(m.id) ?? i < 4 }), m.id, h('span', { class: 'badge' }, m.chat ? 'answers' : 'goes on'))));
  };
  const chosen = () => {
    const ids = new Set([...choice.querySelectorAll('input:checked')].map((i) => i.value));
    return shell.models.filter((m) => ids.has(m.id));
  };

  const start = async () => {
    if (!(shell.model || await shell.ready()) || running) return;
    const models = chosen();
    if (!models.length) {
      message.replaceChildren(problem(new Error('Choose a model or more.')));
      return;
    }
    message.replaceChildren();
    running = new AbortController();
    write.hidden = true;
    stop.hidden = false;
    const made = models.map((m) => column(m));
    columns.replaceChildren(...made.map((c) => c.el));
    await Promise.all(made.map((c) => c.run(prompt.value, { ...fields, logprobs: 1 }, running.signal)));
    running = null;
    write.hidden = false;
    stop.hidden = true;
    compare(made);
    shell.announce('All answers are written.');
  };

  el.append(h('div', { class: 'page compare' },
    h('header', {}, h('h2', {}, 'Compare'), h('p', {}, 'The same prompt and seed for several models: a base model, what fine-tuning made of it, what preferences made of that. Serve them with --model NAME=DIR, once for each.')),
    h('label', { class: 'field', for: 'compare-prompt' }, 'Prompt', prompt), choice,
    h('div', { class: 'settings' },
      slider({ label: 'Temperature', min: 0, max: 2, step: 0.05, value: fields.temperature, onchange: (v) => { fields.temperature = v; } }),
      slider({ label: 'Tokens at most', min: 8, max: 500, step: 4, value: fields.max_tokens, onchange: (v) => { fields.max_tokens = v; } }),
      h('label', { class: 'field', for: 'compare-seed' }, 'Seed', seed)),
    h('div', { class: 'row' }, write, stop), message, columns));
  seed.addEventListener('input', () => { fields.seed = Number(seed.value); });
  shell.onModel(drawModels);
  drawModels();
}

// column is the answer of one model.
function column(model) {
  const text = h('div', { class: 'text', 'aria-live': 'off' });
  const figures = h('dl', { class: 'figures' });
  const state = h('span', { class: 'badge accent' }, 'writing');
  const c = {
    model,
    tokens: [],
    failed: false,
    el: h('article', { class: 'card', 'aria-label': `Answer of ${model.id}` }, h('header', {}, h('h3', {}, model.id), state), text, figures),
    async run(prompt, fields, signal) {
      const began = performance.now();
      let first = null;
      let finish = 'stopped';
      try {
        for await (const p of pieces(events, model, prompt, fields, { signal })) {
          if (p.text && first === null) first = performance.now() - began;
          c.tokens.push(...p.tokens);
          text.append(p.text);
          finish = p.finish ?? finish;
        }
      } catch (err) {
        if (err.name !== 'AbortError') {
          c.failed = true;
          text.append(problem(err));
        }
      }
      state.className = `badge ${c.failed ? 'bad' : finish === 'stop' ? 'good' : ''}`;
      state.textContent = c.failed ? 'failed' : { stop: 'ended', length: 'cut at the limit' }[finish] ?? finish;
      const took = (performance.now() - began) / 1000;
      const n = c.tokens.length;
      const mean = n ? c.tokens.reduce((sum, t) => sum + t.logprob, 0) / n : NaN;
      c.rows = [['Tokens', String(n)], ['Mean probability of a token', n ? percent(Math.exp(mean)) : '–'], ['First token', first === null ? '–' : `${Math.round(first)} ms`], ['Tokens a second', n ? (n / took).toFixed(1) : '–']];
      c.draw();
    },
    draw() { figures.replaceChildren(...c.rows.flatMap(([name, value]) => [h('dt', {}, name), h('dd', {}, value)])); },
    // mark sets what is not in common with the first answer apart.
    mark(same) {
      const all = text.textContent;
      text.replaceChildren(h('span', { class: 'same' }, all.slice(0, same)), all.slice(same));
      c.rows.push(['In common with the first', `${same} characters`]);
      c.draw();
    },
    get text() { return text.textContent; },
  };
  return c;
}

// compare marks how long each answer is the first one's.
function compare([first, ...others]) {
  for (const c of others) {
    if (first.failed || c.failed) continue;
    let n = 0;
    while (n < first.text.length && first.text[n] === c.text[n]) n++;
    c.mark(n);
  }
}
