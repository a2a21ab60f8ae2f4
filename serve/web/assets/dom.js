// Elements. Text from a model or a file becomes text nodes only: nothing here reads HTML.

// h makes an element: h('button', {class: 'quiet', onclick: f, disabled: true}, 'Stop').
// Properties that begin with "on" are listeners, true and false are attributes that are
// there or not, null and undefined are left out. Children are nodes, text, lists, null.
export function h(tag, props = {}, ...children) {
  const el = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith('on')) el.addEventListener(name.slice(2), value);
    else if (name === 'value') el.value = value;
    else if (name === 'checked' || name === 'selected') el[name] = value;
    else el.setAttribute(name, value === true ? '' : value);
  }
  el.append(...present(children));
  return el;
}

const present = (children) => children.flat(Infinity).filter((c) => c !== null && c !== undefined && c !== false);

// fill gives an element other children, which may be those of h.
export function fill(el, ...children) { el.replaceChildren(...present(children)); }

const svgNames = 'http://www.w3.org/2000/svg';

// svg is h for drawings.
export function svg(tag, props = {}, ...children) {
  const el = document.createElementNS(svgNames, tag);
  for (const [name, value] of Object.entries(props)) {
    if (value !== null && value !== undefined && value !== false) el.setAttribute(name, value);
  }
  el.append(...present(children));
  return el;
}

let serial = 0;
// unique is an id for an element that another one names.
export const unique = (prefix) => `${prefix}-${++serial}`;

// announce tells users of screen readers what has happened.
export function announce(text) {
  document.getElementById('live').textContent = text;
}

// problem is an error as the user sees it.
export function problem(err) {
  const busy = err.retryAfter ? ` Try again in ${err.retryAfter} s.` : '';
  return h('p', { class: 'problem', role: 'alert' }, `${err.message ?? err}${busy}`);
}

// complain puts an error at the end of an element, in the place of the last one there.
export function complain(el, err) {
  for (const old of el.querySelectorAll(':scope > .problem')) old.remove();
  el.append(problem(err));
}

// dialog shows content until a button or Escape closes it, and gives the button's value
// ('' of Escape). The focus returns to where it was.
export function dialog(title, content, buttons = [{ label: 'Close', value: '' }], { wide = false } = {}) {
  const id = unique('dialog');
  const box = h('dialog', { 'aria-labelledby': id, class: wide ? 'wide' : '' },
    h('form', { method: 'dialog' },
      h('h2', { id }, title),
      h('div', { class: 'dialog-body' }, content),
      h('div', { class: 'actions' }, buttons.map((b) => h('button', { value: b.value, class: b.primary ? 'primary' : '' }, b.label)))));
  const from = document.activeElement;
  document.body.append(box);
  box.showModal();
  return new Promise((resolve) => {
    box.addEventListener('close', () => {
      box.remove();
      if (from?.isConnected) from.focus();
      resolve(box.returnValue);
    });
  });
}

// slider is a labelled range with its value beside it. off is the value at which it does
// nothing, shown as a word. onchange is called as it moves.
export function slider({ label, min, max, step, value, off, hint, onchange }) {
  const id = unique('slider');
  const shown = (v) => (v === off ? 'off' : String(v));
  const out = h('output', { for: id }, shown(value));
  const input = h('input', { type: 'range', id, min, max, step, value, 'aria-describedby': hint ? `${id}-hint` : null });
  input.setAttribute('aria-valuetext', shown(value));
  input.addEventListener('input', () => {
    const v = Number(input.value);
    out.textContent = shown(v);
    input.setAttribute('aria-valuetext', shown(v));
    onchange?.(v);
  });
  return h('div', { class: 'slider' }, h('label', { for: id }, label), out, input, hint ? h('small', { id: `${id}-hint` }, hint) : null);
}

// roving makes the items of a container one stop of the Tab key, among which the arrow
// keys move. columns: false for a list of one line of text, where up and down move too.
export function roving(container, selector) {
  const items = () => [...container.querySelectorAll(selector)];
  const fix = () => {
    const all = items();
    if (all.length && !all.some((el) => el.tabIndex === 0)) all[0].tabIndex = 0;
  };
  container.addEventListener('keydown', (e) => {
    const all = items();
    const at = all.indexOf(document.activeElement);
    if (at < 0) return;
    const to = { ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: all.length - 1 }[e.key];
    if (to === undefined) return;
    e.preventDefault();
    all[Math.max(0, Math.min(all.length - 1, to))].focus();
  });
  container.addEventListener('focusin', (e) => {
    const all = items();
    if (!all.includes(e.target)) return;
    for (const el of all) el.tabIndex = el === e.target ? 0 : -1;
  });
  fix();
  return fix;
}

// visible is a token's text with its white space to be seen.
export function visible(text) {
  return text.replaceAll('\n', '⏎').replaceAll('\t', '⇥').replaceAll(' ', '␣') || '∅';
}
