// The shell of the page: tabs, the chosen model, the theme, the key.
//
// A tab is a file tabs/ID.js, a line in tabs.js and its tabs/ID.css in index.html,
// which holds on every tab. It exports
//
//   mount(el, shell) -> nothing, or an object of any of
//     shown(rest)    the tab comes to the front; rest is what stands behind #ID/ in the address
//     hidden()       another tab comes to the front
//
// mount is called once, when the tab is first opened; el is its panel, empty. A tab loads
// what it shows through api.js and makes elements with dom.js, never from strings of HTML.
// Colours and controls are those of style.css; what is the tab's own is in tabs/ID.css.
// shell is
//
//   shell.model        the chosen model as /v1/models describes it: {id, max_model_len, chat}
//   shell.models       all of them
//   shell.onModel(f)   calls f(model, another) whenever another is chosen, and, another then
//                      being false, when the others changed or what has its name
//   shell.ready()      looks again for models where there were none, and promises whether there are
//   shell.announce(s)  says s to users of screen readers
//   shell.go(id, rest) opens a tab
import { getModels, getKey, setKey, onChange, onUnauthorized } from './api.js';
import { h, dialog, problem, announce } from './dom.js';
import { tabs } from './tabs.js';

const byId = (id) => document.getElementById(id);
const listeners = [];

const shell = {
  model: null,
  models: [],
  onModel: (f) => { listeners.push(f); },
  announce,
  async ready() {
    await refresh();
    byId('trouble').scrollIntoView({ block: 'nearest' });
    return shell.model !== null;
  },
  go(id, rest = '') { location.hash = rest ? `${id}/${rest}` : id; },
};

// opened is, by id, what mount gave of the tabs that were opened.
const opened = new Map();
let front = null;

function drawTabs() {
  const list = byId('tabs');
  for (const tab of tabs) {
    list.append(h('button', {
      type: 'button', role: 'tab', id: `tab-${tab.id}`, 'aria-controls': `panel-${tab.id}`, 'aria-selected': 'false', tabindex: '-1',
      onclick: () => shell.go(tab.id),
    }, tab.title));
    byId('panels').append(h('section', { role: 'tabpanel', id: `panel-${tab.id}`, class: 'panel', 'aria-labelledby': `tab-${tab.id}`, hidden: true }));
  }
  list.addEventListener('keydown', (e) => {
    const at = tabs.findIndex((t) => `tab-${t.id}` === e.target.id);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[e.key];
    if (to === undefined) return;
    e.preventDefault();
    const next = tabs[(to + tabs.length) % tabs.length];
    byId(`tab-${next.id}`).focus();
    shell.go(next.id);
  });
  // The ends fade where there are more tabs than are in sight.
  const fade = () => {
    list.classList.toggle('before', list.scrollLeft > 1);
    list.classList.toggle('behind', list.scrollLeft + list.clientWidth < list.scrollWidth - 1);
  };
  list.addEventListener('scroll', fade);
  new ResizeObserver(() => {
    list.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
    fade();
  }).observe(list);
}

function show() {
  let address = location.hash.slice(1);
  try { address = decodeURIComponent(address); } catch { /* it stands as it was typed */ }
  const [id, ...rest] = address.split('/');
  const tab = tabs.find((t) => t.id === id) ?? tabs[0];
  if (front !== tab.id) opened.get(front)?.hidden?.();
  front = tab.id;
  for (const t of tabs) {
    const chosen = t.id === tab.id;
    byId(`tab-${t.id}`).setAttribute('aria-selected', String(chosen));
    byId(`tab-${t.id}`).tabIndex = chosen ? 0 : -1;
    byId(`panel-${t.id}`).hidden = !chosen;
  }
  byId(`tab-${tab.id}`).scrollIntoView({ block: 'nearest', inline: 'nearest' });
  document.title = `${tab.title} · Foundling`;
  if (!opened.has(tab.id)) opened.set(tab.id, tab.mount(byId(`panel-${tab.id}`), shell) ?? {});
  opened.get(tab.id).shown?.(rest.join('/'));
}

function drawTheme() {
  const root = document.documentElement;
  const button = byId('theme');
  const dark = matchMedia('(prefers-color-scheme: dark)');
  const now = () => root.dataset.theme || (dark.matches ? 'dark' : 'light');
  const draw = () => {
    const other = now() === 'dark' ? 'light' : 'dark';
    button.textContent = other === 'dark' ? '☾' : '☀';
    button.setAttribute('aria-label', `Use the ${other} theme`);
    button.title = `Use the ${other} theme`;
  };
  button.onclick = () => {
    const theme = now() === 'dark' ? 'light' : 'dark';
    root.dataset.theme = theme;
    try { localStorage.setItem('foundling.theme', theme); } catch { /* not kept */ }
    draw();
  };
  dark.addEventListener('change', draw);
  draw();
}

// askKey lets the user give a key, for servers that ask for one, until one is good.
async function askKey(why) {
  for (let problemOf = null; ;) {
    const input = h('input', { type: 'password', id: 'key-input', autocomplete: 'off', spellcheck: 'false', value: getKey() });
    const done = await dialog('API key', [
      h('p', {}, why), problemOf ? problem(problemOf) : null,
      h('label', { class: 'field', for: 'key-input' }, 'Key', input),
      h('p', { class: 'note' }, 'It stays in this window and is forgotten when you close it.'),
    ], [{ label: 'Use it', value: 'ok', primary: true }, { label: 'Cancel', value: '' }]);
    if (done !== 'ok') return;
    setKey(input.value.trim());
    try {
      await loadModels();
      byId('trouble').replaceChildren();
      return;
    } catch (err) {
      problemOf = err;
    }
  }
}

async function loadModels() {
  const select = byId('model');
  const models = await getModels();
  if (JSON.stringify(models) === JSON.stringify(shell.models)) return;
  shell.models = models;
  const before = shell.model?.id;
  // One that was chosen and was away for a while is taken again.
  const [chosen, last] = [sessionStorage.getItem('foundling.model'), before].map((id) => models.find((m) => m.id === id));
  shell.model = chosen ?? last ?? models[0] ?? null;
  select.replaceChildren(...shell.models.map((m) => h('option', { value: m.id, selected: m.id === shell.model?.id }, m.id)));
  select.disabled = shell.models.length === 0;
  select.onchange = () => {
    shell.model = shell.models.find((m) => m.id === select.value);
    sessionStorage.setItem('foundling.model', shell.model.id);
    listeners.forEach((f) => f(shell.model, true));
  };
  listeners.forEach((f) => f(shell.model, shell.model?.id !== before));
}

// refresh loads the models again, and says why there are none.
async function refresh() {
  try {
    await loadModels();
    byId('trouble').replaceChildren();
  } catch (err) {
    if (!shell.model) byId('trouble').replaceChildren(problem(err));
  }
}

async function start() {
  drawTabs();
  drawTheme();
  onUnauthorized(() => { byId('key').hidden = false; });
  byId('key').hidden = !getKey();
  byId('key').onclick = () => askKey('This server asks for a key.');
  let refused = null;
  try {
    await loadModels();
  } catch (err) {
    byId('trouble').replaceChildren(problem(err));
    if (err.status === 401) refused = err;
  }
  window.addEventListener('hashchange', show);
  // Models may have been exchanged while the page was not looked at.
  window.addEventListener('focus', refresh);
  onChange(async () => {
    await refresh();
    show();
  });
  show();
  document.documentElement.dataset.ready = 'true';
  if (refused) askKey('This server asks for a key.');
}

start();
