// The attention tab: what each head of each layer looks at in a text.
import { post } from '../api.js';
import { h, problem, roving, visible } from '../dom.js';
import { bar, later, percent } from '../ask.js';

const sample = 'Once upon a time, there was a little girl named Lily. She loved to play with her dog. Lily';

export function mount(el, shell) {
  const input = h('textarea', { id: 'attention-text', rows: '3', value: sample });
  const asChat = h('input', { type: 'checkbox', id: 'attention-chat' });
  const asChatLabel = h('label', { class: 'check', for: 'attention-chat' }, asChat, 'As the user’s turn of a conversation');
  const message = h('div', { role: 'status' });
  const layers = h('select', { id: 'attention-layer' });
  const layerField = h('label', { class: 'field inline', for: 'attention-layer', hidden: true }, 'Layer', layers);
  const grid = h('div', { class: 'heads', role: 'group', 'aria-label': 'Heads: choose one to enlarge it' });
  const strip = h('div', { class: 'strip', role: 'group', 'aria-label': 'Tokens: choose the one that looks back' });
  const map = h('canvas', { class: 'map', role: 'img', 'aria-label': 'Attention of the chosen head' });
  const title = h('h3');
  const rows = h('tbody');
  const rowTitle = h('p', { class: 'note', 'aria-live': 'polite' });
  const result = h('div', { class: 'result', hidden: true });
  const fixHeads = roving(grid, 'button');
  const fixTokens = roving(strip, 'button');

  let seen = null; // the answer
  let head = null; // the chosen one of seen.weights
  let token = 0; // the one that looks back

  let asked = 0;
  const look = async (layer) => {
    if (!(shell.model || await shell.ready())) return;
    const mine = ++asked;
    const body = { model: shell.model.id };
    if (asChat.checked && shell.model.chat) body.messages = [{ role: 'user', content: input.value }];
    else body.text = input.value;
    if (layer !== undefined) body.layer = layer;
    message.replaceChildren(h('p', { class: 'note' }, 'Looking …'));
    try {
      const answer = await post('v1/attention', body);
      if (mine !== asked) return;
      message.replaceChildren();
      const before = head;
      seen = answer;
      layerField.hidden = layer === undefined;
      layers.replaceChildren(...Array.from({ length: answer.layers }, (_, i) => h('option', { value: String(i), selected: i === layer }, String(i))));
      token = answer.ids.length - 1;
      drawHeads();
      choose(answer.weights.find((w) => w.layer === before?.layer && w.head === before?.head) ?? answer.weights[0]);
      result.hidden = false;
    } catch (err) {
      if (mine !== asked) return;
      if (err.code === 'too_many_weights' && layer === undefined) {
        look(0);
        return;
      }
      result.hidden = true;
      message.replaceChildren(problem(err));
    }
  };

  const drawHeads = () => {
    const byLayer = Map.groupBy(seen.weights, (w) => w.layer);
    grid.replaceChildren(...[...byLayer].map(([layer, heads]) => h('div', { class: 'layer' }, h('span', { class: 'note' }, `Layer ${layer}`),
      h('div', {}, heads.map((w) => {
        const small = h('canvas', { 'aria-hidden': 'true', role: 'presentation', title: name(w) });
        paint(small, w.weights, -1);
        return h('button', { type: 'button', class: 'head', 'aria-pressed': 'false', 'aria-label': name(w), title: name(w), tabindex: '-1', onclick: () => choose(w), 'data-head': `${w.layer}.${w.head}` }, small);
      })))));
    fixHeads();
  };

  const choose = (w) => {
    head = w;
    for (const b of grid.querySelectorAll('button')) b.setAttribute('aria-pressed', String(b.dataset.head === `${w.layer}.${w.head}`));
    title.textContent = name(w);
    drawTokens();
    follow(token);
  };

  const drawTokens = () => {
    strip.replaceChildren(...seen.tokens.map((text, i) => h('button', {
      type: 'button', class: 'look', tabindex: '-1', 'aria-pressed': 'false', 'aria-label': `Token ${i}, ${visible(text)}`,
      onclick: () => follow(i), onfocus: () => follow(i),
    }, visible(text))));
    fixTokens();
  };

  // follow shows where token t of the chosen head looks.
  const follow = (t) => {
    token = Math.min(t, seen.ids.length - 1);
    const shares = head.weights[token];
    const most = Math.max(...shares);
    [...strip.children].forEach((b, i) => {
      b.setAttribute('aria-pressed', String(i === token));
      b.classList.toggle('ahead', i > token);
      b.style.setProperty('--share', `${i > token ? 0 : Math.round((70 * shares[i]) / Math.max(most, 1e-9))}%`);
    });
    paint(map, head.weights, token);
    const order = shares.map((share, i) => ({ share, i })).sort((a, b) => b.share - a.share).slice(0, 8);
    rowTitle.textContent = `Token ${token}, ${visible(seen.tokens[token])}, looks most at ${visible(seen.tokens[order[0].i])} (token ${order[0].i}, ${percent(order[0].share)}).`;
    rows.replaceChildren(...order.map(({ share, i }) => h('tr', {}, h('td', { class: 'right' }, String(i)), h('th', { scope: 'row', class: 'mono' }, visible(seen.tokens[i])),
      h('td', { class: 'share' }, bar(h, share), h('span', {}, percent(share))))));
  };

  map.addEventListener('click', (e) => {
    const box = map.getBoundingClientRect();
    follow(Math.max(0, Math.min(seen.ids.length - 1, Math.floor(((e.clientY - box.top) / box.height) * seen.ids.length))));
  });

  const soon = later(() => look(), 400);
  input.addEventListener('input', soon);
  asChat.addEventListener('change', () => look());
  layers.addEventListener('change', () => look(Number(layers.value)));
  const model = () => {
    asChatLabel.hidden = !shell.model?.chat;
    look();
  };
  new MutationObserver(() => {
    if (!seen || result.hidden) return;
    for (const b of grid.querySelectorAll('button')) paint(b.firstChild, seen.weights.find((w) => `${w.layer}.${w.head}` === b.dataset.head).weights, -1);
    paint(map, head.weights, token);
  }).observe(document.documentElement, { attributeFilter: ['data-theme'] });

  result.append(
    h('div', { class: 'row' }, layerField), grid,
    h('div', { class: 'large' },
      h('figure', {}, map, h('figcaption', { class: 'note' }, 'A row is a token, a column one that it can see: itself and what is before it. The darker, the larger the share; each row sums to 1.')),
      h('div', {}, title, strip, rowTitle,
        h('table', {}, h('thead', {}, h('tr', {}, h('th', { scope: 'col', class: 'right' }, 'Place'), h('th', { scope: 'col' }, 'Token'), h('th', { scope: 'col' }, 'Share'))), rows))));
  el.append(h('div', { class: 'page attention' },
    h('header', {}, h('h2', {}, 'Attention'), h('p', {}, 'To work out what comes next, each head of each layer takes something from tokens before. Choose a head, then a token, and see where it looks.')),
    h('label', { class: 'field', for: 'attention-text' }, 'Text', input), h('div', { class: 'row' }, asChatLabel), message, result));
  shell.onModel(model);
  model();
  return { shown: () => { if (message.querySelector('.problem')) look(); } }; // the server may be back
}

const name = (w) => `Layer ${w.layer}, head ${w.head}`;

// paint draws the weights, a square a pixel, on a canvas that is stretched; row is
// marked, -1 for none.
function paint(canvas, weights, row) {
  const n = weights.length;
  const scale = row < 0 ? 1 : Math.max(1, Math.ceil(512 / n)); // for a sharp mark
  canvas.width = n * scale;
  canvas.height = n * scale;
  const style = getComputedStyle(document.documentElement);
  const g = canvas.getContext('2d');
  const full = style.getPropertyValue('color-scheme').trim();
  const dark = full === 'dark' || (full !== 'light' && matchMedia('(prefers-color-scheme: dark)').matches);
  const [from, to] = dark ? [[16, 18, 22], [255, 170, 110]] : [[243, 241, 236], [140, 29, 64]];
  g.fillStyle = `rgb(${from})`;
  g.fillRect(0, 0, canvas.width, canvas.height);
  weights.forEach((shares, t) => shares.forEach((share, i) => {
    const x = Math.sqrt(share); // small shares are to be seen too
    g.fillStyle = `rgb(${from.map((c, k) => Math.round(c + x * (to[k] - c)))})`;
    g.fillRect(i * scale, t * scale, scale, scale);
  }));
  if (row < 0) return;
  g.strokeStyle = dark ? '#74aef2' : '#2f6db5';
  g.lineWidth = Math.min(6, Math.max(1, scale / 6));
  g.strokeRect(0.5, row * scale + 0.5, (row + 1) * scale - 1, scale - 1);
}
