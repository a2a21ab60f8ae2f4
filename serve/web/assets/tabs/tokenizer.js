// The tokenizer tab: how a model cuts text into tokens, and what that costs a language.
import { post } from '../api.js';
import { h, problem, roving } from '../dom.js';
import { bar, later, shown } from '../ask.js';
import { sentences } from './tokenizer-sentences.js';

const sample = 'func main() {\n\tfmt.Println("Hello, wörld! 你好 🌍")\n}\n\nThe price rose from 1,299.50 to 13000 euros.';

export function mount(el, shell) {
  const input = h('textarea', { id: 'tokenizer-text', rows: '6', spellcheck: 'false', value: sample });
  const figures = h('p', { class: 'figures', role: 'status' });
  const strip = h('div', { class: 'tokens', role: 'group', 'aria-label': 'Tokens: choose one to see its bytes' });
  const chosen = h('p', { class: 'chosen mono', 'aria-live': 'polite' });
  const rows = h('tbody');
  const message = h('div');
  const fix = roving(strip, 'button');

  const draw = (answer) => {
    const bytes = new TextEncoder().encode(input.value).length;
    const signs = [...input.value].length;
    const n = answer.count;
    const words = (answer.pieces ?? []).filter((p) => !p.special).length;
    figures.replaceChildren(...[
      [n, n === 1 ? 'token' : 'tokens'], [signs, 'characters'], [bytes, 'bytes'],
      [words ? (bytes / words).toFixed(2) : '–', 'bytes a token'], [(100 * n / answer.max_model_len).toFixed(1) + ' %', 'of the context'],
    ].map(([value, name]) => h('span', {}, h('b', {}, String(value)), ` ${name}`)));
    const made = (answer.pieces ?? []).map((p, i) => {
      const choose = () => {
        const hex = (p.bytes ?? []).map((b) => b.toString(16).padStart(2, '0')).join(' ');
        chosen.textContent = `token ${i}: id ${answer.tokens[i]}, ${p.special ? `special ${p.token}` : `"${shown(p)}", bytes ${hex}`}`;
      };
      return h('button', {
        type: 'button', class: `token ${p.special ? 'special' : `k${i % 6}`}`, tabindex: '-1', title: `id ${answer.tokens[i]}`,
        'aria-label': `${shown(p)}, id ${answer.tokens[i]}`, onclick: choose, onfocus: choose,
      }, shown(p));
    });
    strip.replaceChildren(...made.flatMap((e, i) => (answer.pieces[i].token.endsWith('\n') ? [e, h('br')] : [e])));
    chosen.textContent = made.length ? 'Choose a token to see its id and bytes.' : '';
    fix();
  };

  let asked = 0;
  const look = async () => {
    if (!(shell.model || await shell.ready())) return;
    const mine = ++asked;
    try {
      const answer = await post('tokenize', { model: shell.model.id, prompt: input.value, pieces: true });
      if (mine !== asked) return;
      message.replaceChildren();
      draw(answer);
    } catch (err) {
      if (mine === asked) message.replaceChildren(problem(err));
    }
  };
  const soon = later(look, 150);
  input.addEventListener('input', soon);

  const parallel = h('textarea', {
    id: 'tokenizer-languages', class: 'code', rows: '8', spellcheck: 'false', value: sentences.map(([name, text]) => `${name}: ${text}`).join('\n'),
  });
  const head = h('thead');
  const costs = h('div');
  let running = null;
  const measure = async () => {
    const lines = parallel.value.split('\n').map((l) => l.match(/^\s*([^:]+):\s*(.+)$/)).filter(Boolean).map(([, name, text]) => ({ name, text }));
    if (!lines.length) {
      costs.replaceChildren(h('p', { class: 'note' }, 'Write lines of the form "Language: text".'));
      return;
    }
    if (!(shell.model || await shell.ready())) return;
    const models = shell.models;
    running?.abort();
    running = new AbortController();
    const { signal } = running;
    try {
      for (const line of lines) {
        line.counts = [];
        for (const m of models) line.counts.push((await post('tokenize', { model: m.id, prompt: line.text }, { signal })).count);
      }
      const empty = [];
      for (const m of models) empty.push((await post('tokenize', { model: m.id, prompt: '' }, { signal })).count);
      drawCosts(lines, models, empty);
      shell.announce(`${lines.length} texts counted`);
    } catch (err) {
      if (err.name !== 'AbortError') costs.replaceChildren(problem(err));
    }
  };
  const drawCosts = (lines, models, empty) => {
    const cost = (line, m) => line.counts[m] - empty[m]; // without the start token
    const most = Math.max(1, ...lines.flatMap((line) => models.map((_, m) => cost(line, m) / Math.max(1, cost(lines[0], m)))));
    head.replaceChildren(h('tr', {}, h('th', { scope: 'col' }, 'Text'), h('th', { scope: 'col', class: 'right' }, 'Characters'), h('th', { scope: 'col', class: 'right' }, 'Bytes'),
      models.map((m) => [h('th', { scope: 'col', class: 'right' }, m.id), h('th', { scope: 'col' }, `times ${lines[0].name}`)])));
    rows.replaceChildren(...lines.map((line) => h('tr', {}, h('th', { scope: 'row', title: line.text }, line.name),
      h('td', { class: 'right' }, String([...line.text].length)), h('td', { class: 'right' }, String(new TextEncoder().encode(line.text).length)),
      models.map((_, m) => {
        const times = cost(line, m) / Math.max(1, cost(lines[0], m));
        return [h('td', { class: 'right' }, String(cost(line, m))), h('td', { class: 'cost' }, bar(h, times / most), h('span', {}, times.toFixed(2)))];
      }))));
    costs.replaceChildren(h('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Tokens by language' }, h('table', { class: 'costs' }, head, rows)));
  };
  const button = h('button', { type: 'button', onclick: measure }, 'Count the tokens');

  el.append(h('div', { class: 'page tokenizer' },
    h('header', {}, h('h2', {}, 'Tokenizer'), h('p', {}, 'A model reads and writes tokens, pieces of text from its vocabulary. The colours show where one ends and the next begins.')),
    h('label', { class: 'field', for: 'tokenizer-text' }, 'Text', input),
    message, figures, h('div', { class: 'card' }, strip, chosen),
    h('section', {}, h('h3', {}, 'Cost by language'),
      h('p', { class: 'note' }, 'The same sentence costs more tokens in languages that the tokenizer saw little of: the context holds less of it and each answer takes longer. The first line is what the others are compared with; change the texts as you like.'),
      h('label', { class: 'field', for: 'tokenizer-languages' }, 'Texts of equal meaning', parallel),
      h('div', { class: 'actions start' }, button), costs)));
  shell.onModel(look);
  look();
  return { shown: () => { if (message.firstChild) look(); } }; // the server may be back
}
