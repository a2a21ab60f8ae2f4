// The messages of a conversation, as elements. What a control does is the chat tab's:
// act(name, node, value).
import { h } from './dom.js';
import { siblings } from './conversation.js';
import { markdown } from './markdown.js';
import { extend, strip } from './tokens.js';

// body is the text of a message: markdown, or its tokens.
function body(node, view) {
  if (view.tokens && node.tokens?.length) return strip(node.tokens, (i) => view.act('token', node, i));
  if (node.role === 'user' || !view.chat) return h('div', { class: 'plain' }, node.content);
  return h('div', { class: 'prose' }, markdown(node.content));
}

// message is the element of a node; view is {c, chat, tokens, running, editing, act}.
export function message(node, view) {
  const mine = node.role === 'user';
  const who = mine ? (view.chat ? 'You' : 'Your text') : node.model ?? 'Model';
  const busy = view.running === node.id;
  const inside = view.editing === node.id ? editor(node, view) : h('div', { class: 'body', 'aria-busy': busy ? 'true' : null }, body(node, view));
  return h('article', { class: `message ${node.role}${busy ? ' running' : ''}`, 'aria-label': who, 'data-node': node.id },
    h('header', {}, h('span', { class: 'who' }, who), branches(node, view)),
    inside,
    view.editing === node.id || busy ? null : h('footer', {}, actions(node, view), facts(node)));
}

// refresh draws the text of a message again, while it is written.
export function refresh(el, node, view) {
  const shown = el.querySelector('.strip');
  if (view.tokens && shown) extend(shown, node.tokens); // the focus may be in it
  else el.querySelector('.body').replaceChildren(body(node, view));
}

function branches(node, view) {
  const all = siblings(view.c, node);
  if (all.length < 2) return null;
  const at = all.indexOf(node);
  const to = (i, label, text) => h('button', {
    type: 'button', class: 'quiet small', 'aria-label': label, disabled: i < 0 || i >= all.length || view.running, 'data-act': text, onclick: () => view.act('branch', all[i], text),
  }, text);
  return h('span', { class: 'branches', role: 'group', 'aria-label': 'Versions of this message' },
    to(at - 1, 'Previous version', '‹'), h('span', {}, `${at + 1} of ${all.length}`), to(at + 1, 'Next version', '›'));
}

function actions(node, view) {
  const button = (name, label) => h('button', { type: 'button', class: 'quiet small', disabled: view.running, 'data-act': name, onclick: () => view.act(name, node) }, label);
  if (node.role === 'user') return [button('edit', 'Edit'), button('copy', 'Copy')];
  return [
    button('again', node.error ? 'Try again' : 'Regenerate'),
    node.finish === 'length' || node.finish === 'stopped' ? button('more', 'Continue') : null,
    button('copy', 'Copy'),
  ];
}

// facts is what is known of how an answer was written.
function facts(node) {
  if (node.role === 'user' || !node.tokens?.length) return null;
  const surprise = -node.tokens.reduce((sum, t) => sum + (t.logprob ?? 0), 0) / node.tokens.length;
  const parts = [
    `${node.tokens.length} token${node.tokens.length === 1 ? '' : 's'}`,
    node.rate ? `${node.rate.toFixed(node.rate < 10 ? 1 : 0)} a second` : null,
    `perplexity ${Math.exp(surprise).toFixed(1)}`,
    node.seed ? `seed ${node.seed}` : null,
    { length: 'cut at the limit', stopped: 'stopped' }[node.finish],
  ];
  return h('span', { class: 'facts' }, parts.filter(Boolean).join(' · '));
}

function editor(node, view) {
  const area = h('textarea', { 'aria-label': 'Your message', rows: Math.min(12, node.content.split('\n').length + 1), value: node.content });
  const done = () => { if (area.value.trim()) view.act('edited', node, area.value); };
  area.addEventListener('keydown', (e) => {
    if (e.key === 'Enter' && !e.shiftKey) { e.preventDefault(); done(); }
    if (e.key === 'Escape') { e.stopPropagation(); view.act('edit', null); }
  });
  return h('div', { class: 'editor' }, area, h('div', { class: 'actions' },
    h('button', { type: 'button', onclick: () => view.act('edit', null) }, 'Cancel'),
    h('button', { type: 'button', class: 'primary', onclick: done }, 'Send')));
}
