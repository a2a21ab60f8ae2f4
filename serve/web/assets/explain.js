// One token of an answer: the distribution that it was drawn from, what each step of the
// sampling chain removes, and another token instead of it. The figures are the server's
// (/v1/explain): moving a slider asks it again.
import { post } from './api.js';
import { dialog, fill, h, problem, visible } from './dom.js';
import { chain, knobForm } from './settings.js';
import { bytesText, percent } from './tokens.js';

const titles = {
  logits: 'Model', logit_bias: 'Bias', penalties: 'Penalties', dry: 'DRY', temperature: 'Temperature', top_k: 'Top-k', top_p: 'Top-p',
  min_p: 'Min-p', typical_p: 'Typical-p', xtc: 'XTC', grammar: 'Format', mirostat: 'Mirostat', top_n_sigma: 'Top-nσ',
};
const title = (name) => titles[name] ?? name;

// openToken shows the token at index of tokens, and gives {token, index, settings} where
// the user wants another one, else null. ask is {model, prompt, settings, seed}.
export async function openToken({ model, prompt, settings, seed, extra = {} }, tokens, index) {
  const own = { ...settings };
  let result = null;
  let abort = null;
  let top = 20;
  const figures = h('div', { class: 'figures' });
  const where = h('p', { class: 'where' });
  const move = (by, text) => h('button', { type: 'button', class: 'quiet small', onclick: () => { index += by; ask(); } }, text);
  const previous = move(-1, '← Previous');
  const next = move(1, 'Next →');

  async function ask() {
    previous.disabled = index <= 0;
    next.disabled = index >= tokens.length;
    const before = tokens.slice(0, index).map((t) => t.text).join('');
    where.replaceChildren(h('span', { class: 'soft' }, `${index < tokens.length ? `Token ${index + 1} of ${tokens.length}` : 'Behind the last token'}: `),
      h('span', { class: 'context mono' }, before.length > 80 ? `…${before.slice(-80)}` : before, h('mark', {}, visible(tokens[index]?.text ?? '…'))));
    abort?.abort();
    abort = new AbortController();
    figures.setAttribute('aria-busy', 'true');
    try {
      const body = { model: model.id, ...prompt, ...chain(own), ...extra, completion_ids: tokens.map((t) => t.id), position: index, top };
      if (seed !== null && seed !== undefined && seed !== '') body.seed = Number(seed);
      draw(await post('v1/explain', body, { signal: abort.signal }));
    } catch (err) {
      if (err.name !== 'AbortError') figures.replaceChildren(problem(err), h('button', { type: 'button', onclick: ask }, 'Try again'));
    }
    figures.removeAttribute('aria-busy');
  }

  function draw(answer) {
    fill(figures,
      h('p', { class: 'note' }, `Entropy of the model's distribution: ${answer.entropy.toFixed(2)} nats, as if ${Math.exp(answer.entropy).toFixed(1)} tokens were equally likely.`),
      steps(answer),
      list(answer, tokens[index]?.id, (token) => {
        result = { token, index, settings: own };
        figures.closest('dialog').close('forced');
      }),
      top < 200 ? h('button', { type: 'button', class: 'quiet small', onclick: () => { top = 200; ask(); } }, 'Show up to 200 tokens') : null);
  }

  let timer = 0;
  const knobs = knobForm(own, () => {
    clearTimeout(timer);
    timer = setTimeout(ask, 60);
  });
  const shown = dialog('What could have stood here', [
    h('div', { class: 'row between' }, where, h('div', { class: 'row' }, previous, next)),
    h('div', { class: 'explain' }, h('div', {}, knobs, h('p', { class: 'note' }, 'The sliders try other settings. A token that you choose is written with them, and the text goes on from there.')), figures),
  ], [{ label: 'Close', value: '' }], { wide: true });
  ask();
  await shown;
  clearTimeout(timer);
  abort?.abort();
  return result;
}

// steps is what each step of the chain removes.
function steps(answer) {
  const rows = answer.steps.filter((s) => s.name !== 'logits').map((s) => h('tr', {},
    h('th', { scope: 'row' }, title(s.name)),
    h('td', {}, h('span', { class: 'mass', 'aria-hidden': 'true' }, bar(1 - s.removed_mass, 'kept'), bar(s.removed_mass, 'gone'))),
    h('td', { class: 'right' }, s.removed ? `removes ${s.removed.toLocaleString('en')}, ${percent(s.removed_mass)}` : 'removes none'),
    h('td', { class: 'right' }, `${s.kept.toLocaleString('en')} left`)));
  return h('div', { class: 'scroll' }, h('table', { class: 'steps' }, h('caption', {}, 'What each step removes'),
    h('thead', { class: 'sr' }, h('tr', {}, ['Step', 'Share', 'Removed', 'Left'].map((t) => h('th', { scope: 'col' }, t)))), h('tbody', {}, rows)));
}

function bar(share, kind) {
  const el = h('i', { class: kind });
  el.style.width = share > 0 ? `max(1px, ${Math.min(100, 100 * share)}%)` : '0';
  return el;
}

// list is the most probable tokens; force(token) writes one.
function list(answer, chosen, force) {
  const final = new Map(answer.final.map((t) => [t.id, t.probability]));
  const gone = new Map(); // id -> the step that removes it
  for (const s of answer.steps) for (const t of s.tokens) if (!t.kept && !gone.has(t.id)) gone.set(t.id, s.name);
  const first = answer.steps[0].tokens;
  const most = Math.max(...first.map((t) => t.probability), ...final.values(), 1e-9);
  const rows = first.map((t) => {
    const text = bytesText(t.token, t.bytes);
    const after = final.get(t.id) ?? 0;
    const out = after === 0;
    return h('tr', { class: [t.id === chosen ? 'chosen' : '', out ? 'out' : ''].join(' ').trim() },
      h('td', { class: 'mono token' }, visible(text), t.id === chosen ? h('span', { class: 'badge accent' }, 'written') : null),
      h('td', { class: 'bars' }, h('span', { 'aria-hidden': 'true' }, bar(t.probability / most, 'before'), bar(after / most, 'after'))),
      h('td', { class: 'right' }, percent(t.probability)),
      h('td', { class: 'right' }, out ? h('span', { class: 'badge' }, gone.has(t.id) ? `removed: ${title(gone.get(t.id))}` : 'removed') : percent(after)),
      h('td', { class: 'right' }, t.id === chosen ? null : h('button', { type: 'button', class: 'small', 'aria-label': `Write ${visible(text)} instead`, onclick: () => force({ id: t.id, text, logprob: Math.log(t.probability) }) }, 'Write this')));
  });
  return h('div', { class: 'scroll' }, h('table', { class: 'dist' }, h('caption', { class: 'sr' }, 'The most probable tokens'),
    h('thead', {}, h('tr', {}, h('th', { scope: 'col' }, 'Token'), h('td'), h('th', { scope: 'col', class: 'right' }, 'Model'), h('th', { scope: 'col', class: 'right' }, 'After the chain'), h('td'))),
    h('tbody', {}, rows)));
}
