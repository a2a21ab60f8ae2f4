// The settings of sampling: a form, and the fields of a request that it stands for.
import { h, slider, unique } from './dom.js';

// knobs are the steps of the chain that the page lets one move. off is the value that
// changes nothing.
const knobs = [
  { name: 'temperature', label: 'Temperature', min: 0, max: 2, step: 0.05, off: 1, hint: '0 takes the most probable token; above 1 the distribution is flatter' },
  { name: 'top_k', label: 'Top-k', min: 0, max: 200, step: 1, off: 0, hint: 'only the k most probable' },
  { name: 'top_p', label: 'Top-p', min: 0.01, max: 1, step: 0.01, off: 1, hint: 'the fewest that together have this probability' },
  { name: 'min_p', label: 'Min-p', min: 0, max: 1, step: 0.01, off: 0, hint: 'at least this share of the most probable one' },
];

// defaults are what a model does when it is asked for nothing.
export function defaults(model) {
  const d = model?.defaults ?? {};
  return { temperature: d.temperature ?? 0.8, top_k: d.top_k ?? 0, top_p: d.top_p || 1, min_p: d.min_p ?? 0 };
}

// chain is the sampling fields of settings.
export function chain(s) {
  return { temperature: s.temperature, top_k: s.top_k, top_p: s.top_p, min_p: s.min_p };
}

// fields are those of a request, nothing left to the model.
export function fields(s) {
  const out = chain(s);
  for (const name of ['max_tokens', 'seed']) if (typeof s[name] === 'number') out[name] = s[name];
  return out;
}

// knobForm is the sliders of settings, which it changes; onchange is told.
export function knobForm(settings, onchange, { hints = true } = {}) {
  return h('div', { class: 'knobs' }, knobs.map(({ name, label, min, max, step, off, hint }) => slider({
    label, min, max, step, off: name === 'temperature' ? undefined : off, hint: hints ? hint : null,
    value: settings[name],
    onchange: (v) => { settings[name] = v; onchange?.(name); },
  })));
}

// number is a field for a whole number, empty for none. What else is typed is the
// server's to refuse.
export function number({ label, name, settings, min = 0, max, placeholder, onchange }) {
  const id = unique(name);
  const input = h('input', { type: 'number', id, min, max, step: 1, placeholder, value: settings[name] ?? '' });
  input.addEventListener('input', () => {
    settings[name] = input.value === '' ? null : Number(input.value);
    onchange?.(name);
  });
  return h('label', { class: 'field', for: id }, label, input);
}
