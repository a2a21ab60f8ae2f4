// The tokens of a text: as words that can be opened, tinted by how probable they were.
import { h, roving, visible } from './dom.js';

const strict = new TextDecoder('utf-8', { fatal: true });

// bytesText is a token as text; bytes that are no characters by themselves are spelled.
// Special tokens have no bytes.
export function bytesText(token, bytes) {
  if (!bytes) return token;
  try {
    return strict.decode(new Uint8Array(bytes));
  } catch {
    return bytes.map((b) => `\\x${b.toString(16).padStart(2, '0')}`).join('');
  }
}

export const percent = (p) => (p >= 0.9995 ? '100 %' : p >= 0.01 ? `${(100 * p).toFixed(1)} %` : p >= 0.0001 ? `${(100 * p).toFixed(2)} %` : p > 0 ? '< 0.01 %' : '0 %');

// level is 0 (expected) to 4 (a surprise).
export const level = (logprob) => [0.8, 0.5, 0.2, 0.05].filter((p) => Math.exp(logprob) < p).length;

// strip shows tokens, of which open(index) is called when one is chosen. Tab goes to the
// strip, the arrow keys move in it, Enter opens.
export function strip(tokens, open) {
  const el = h('div', { class: 'strip', role: 'group', 'aria-label': 'Tokens: arrow keys move, Enter opens one' });
  const at = (e) => e.target.closest('[data-token]');
  el.addEventListener('click', (e) => { if (at(e)) open(Number(at(e).dataset.token)); });
  el.addEventListener('keydown', (e) => {
    if (!at(e) || (e.key !== 'Enter' && e.key !== ' ')) return;
    e.preventDefault();
    open(Number(at(e).dataset.token));
  });
  extend(el, tokens);
  roving(el, '[data-token]');
  return el;
}

// extend puts tokens into a strip that it lacks, at its end.
export function extend(el, tokens) {
  for (let i = el.childElementCount; i < tokens.length; i++) el.append(one(tokens[i], i));
  if (el.firstElementChild && !el.querySelector('[tabindex="0"]')) el.firstElementChild.tabIndex = 0;
}

function one(token, i) {
  const p = percent(Math.exp(token.logprob));
  const forced = token.forced ? ', forced' : '';
  return h('span', {
    class: `tok l${level(token.logprob)}${token.forced ? ' forced' : ''}`, role: 'button', tabindex: '-1', 'data-token': i,
    'aria-label': `${visible(token.text)}, ${p}${forced}`, title: `${visible(token.text)}  ${p}${forced}`,
  }, token.text === '' ? '∅' : token.text.replaceAll('\n', '⏎\n'));
}

// legend says what the tints mean.
export function legend() {
  return h('p', { class: 'legend note' }, 'Probability ', ['80 % or more', '50 %', '20 %', '5 %', 'less'].map((text, i) => h('span', { class: `tok l${i}` }, text)));
}
