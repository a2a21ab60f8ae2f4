// The trust tab: how sure a model is of an answer, what supports it, and what is
// remembered of a user.
import { get, post, del } from '../api.js';
import { complain, h, problem, slider } from '../dom.js';
import { given } from '../ask.js';

// signals says what each measure is and whether more of it is better.
const signals = {
  token_entropy: ['Entropy of a token', 'nats, less is better: how open each choice was'],
  mean_logprob: ['Mean log-probability', 'nats a token, more is better'],
  perplexity: ['Perplexity', 'less is better: between how many tokens it wavered'],
  p_true: ['P(true)', 'more is better: the probability that the model, asked, calls its answer true'],
  agreement: ['Agreement', 'more is better: the share of other answers that say the same'],
  semantic_entropy: ['Entropy of meanings', 'nats, less is better: how many things the other answers say'],
  selfcheck: ['Contradicted by others', '0 to 1, less is better: of the sentence that other answers support least'],
  selfcheck_ngram: ['Unusual words', 'nats a word, less is better: against the words of other answers'],
  grounding: ['Grounding', '0 to 1, more is better: support in the context for the least supported sentence'],
};
const actions = { answer: 'It may be answered', warn: 'Answered with a warning', abstain: 'Withheld: too unsure', regenerate: 'Written again' };

export function mount(el, shell) {
  const settings = { samples: 4, temperature: 1, max_tokens: 64 };
  const question = h('textarea', { id: 'trust-question', rows: '3', value: 'Where did Lily find her ball?' });
  const context = h('textarea', { id: 'trust-context', rows: '5', value: 'Lily lost her ball in the park. Her dog found it under a tree. They were happy.' });
  const action = h('select', { id: 'trust-policy' }, [['', 'show every answer'], ['warn', 'warn'], ['abstain', 'say “I don’t know”'], ['regenerate', 'write it again']].map(([value, label]) => h('option', { value }, label)));
  const remember = h('input', { type: 'checkbox', id: 'trust-memory' });
  const user = h('input', { type: 'text', id: 'trust-user', autocomplete: 'off', spellcheck: 'false' });
  const ask = h('button', { type: 'button', class: 'primary', onclick: () => (running ? running.abort() : run()) }, 'Ask');
  let running = null;
  const result = h('div', { class: 'result', role: 'status' });

  const run = async () => {
    if (!(shell.model || await shell.ready()) || running) return;
    running = new AbortController();
    ask.textContent = 'Stop';
    result.replaceChildren(h('p', { class: 'note' }, 'Writing, and measuring …'));
    const text = context.value.trim();
    const asked = text ? `${text}\n\n${question.value}` : question.value;
    const body = { model: shell.model.id, ...given(shell.model, asked), temperature: settings.temperature, max_tokens: settings.max_tokens, confidence: { samples: settings.samples, context: text } };
    if (action.value) body.policy = { action: action.value };
    if (remember.checked) Object.assign(body, { memory: true, user: user.value });
    try {
      const answer = await post(shell.model.chat ? 'v1/chat/completions' : 'v1/completions', body, { signal: running.signal });
      result.replaceChildren(...show(answer, text));
      shell.announce('The answer is measured.');
    } catch (err) {
      result.replaceChildren(err.name === 'AbortError' ? h('p', { class: 'note' }, 'Stopped.') : problem(err));
    } finally {
      running = null;
      ask.textContent = 'Ask';
    }
  };

  const rows = h('tbody');
  const memory = h('div');
  const kind = h('select', { id: 'trust-kind' }, h('option', { value: 'fact' }, 'fact'), h('option', { value: 'preference' }, 'preference'));
  const fact = h('input', { type: 'text', id: 'trust-fact', autocomplete: 'off' });
  const of = () => `user=${encodeURIComponent(user.value)}`;
  const load = async () => {
    try {
      const facts = (await get(`v1/memory?${of()}`)).data;
      rows.replaceChildren(...facts.map((f) => h('tr', {}, h('td', {}, f.kind), h('td', {}, f.text),
        h('td', { class: 'right' }, h('button', { type: 'button', class: 'small', 'aria-label': `Forget: ${f.text}`, onclick: () => change(() => del(`v1/memory/${encodeURIComponent(f.id)}`)) }, 'Forget')))));
      memory.replaceChildren(facts.length ? h('table', {}, h('thead', {}, h('tr', {}, h('th', { scope: 'col' }, 'Kind'), h('th', { scope: 'col' }, 'What is remembered'), h('th', { scope: 'col' }, h('span', { class: 'sr' }, 'Forget')))), rows)
        : h('p', { class: 'note' }, 'Nothing is remembered.'),
      h('div', { class: 'actions' }, h('button', { type: 'button', class: 'quiet', disabled: !facts.length, onclick: () => change(() => del(`v1/memory?${of()}`)) }, 'Forget all')));
    } catch (err) {
      memory.replaceChildren(err.code === 'no_database' ? h('p', { class: 'note' }, 'This server has no database, so nothing is remembered.') : problem(err));
    }
  };
  const change = async (f) => {
    try {
      await f();
      await load();
    } catch (err) {
      complain(memory, err);
    }
  };
  const add = h('form', { class: 'row', onsubmit: (e) => {
    e.preventDefault();
    change(async () => {
      await post('v1/memory', { user: user.value, kind: kind.value, text: fact.value });
      fact.value = '';
    });
  } }, h('label', { class: 'field', for: 'trust-kind' }, 'Kind', kind), h('label', { class: 'field grow', for: 'trust-fact' }, 'To remember', fact), h('button', {}, 'Remember'));
  user.addEventListener('change', load);

  el.append(h('div', { class: 'page trust' },
    h('header', {}, h('h2', {}, 'Trust'), h('p', {}, 'How sure the model is of an answer, whether it says the same when asked again, and which of its sentences the context supports. No measure knows the truth: each finds some wrong answers.')),
    h('div', { class: 'columns' },
      h('div', {}, h('label', { class: 'field', for: 'trust-context' }, 'Context', context), h('label', { class: 'field', for: 'trust-question' }, 'Question', question),
        h('div', { class: 'settings' },
          slider({ label: 'Other answers', min: 2, max: 12, step: 1, value: settings.samples, onchange: (v) => { settings.samples = v; } }),
          slider({ label: 'Temperature', min: 0.05, max: 2, step: 0.05, value: settings.temperature, onchange: (v) => { settings.temperature = v; } }),
          slider({ label: 'Tokens at most', min: 8, max: 300, step: 4, value: settings.max_tokens, onchange: (v) => { settings.max_tokens = v; } }),
          h('label', { class: 'field', for: 'trust-policy' }, 'Where it is too unsure', action)),
        h('label', { class: 'check', for: 'trust-memory' }, remember, 'Tell the model what is remembered'),
        h('div', { class: 'actions start' }, ask)),
      result),
    h('section', {}, h('h3', {}, 'Memory'),
      h('p', { class: 'note' }, 'What the server remembers of a user. Answers take it into account only where they are asked to, and say so.'),
      h('label', { class: 'field name', for: 'trust-user' }, 'User (may be empty)', user), add, memory)));
  return { shown: load };
}

// show is an answer with what was measured of it.
function show(answer, context) {
  const choice = answer.choices[0];
  const text = choice.message?.content ?? choice.text;
  const known = choice.foundling ?? {};
  const c = known.confidence ?? {};
  const bytes = new TextEncoder();
  const cut = (whole, span) => new TextDecoder().decode(bytes.encode(whole).slice(span.start, span.end));
  const support = h('p', { class: 'support note', 'aria-live': 'polite' }, 'Choose a sentence to see what in the context supports it.');
  const claims = (c.claims ?? []).map((claim) => h('button', {
    type: 'button', class: `claim ${claim.score >= 0.7 ? 'good' : claim.score >= 0.4 ? 'some' : 'bad'}`,
    'aria-pressed': 'false',
    onclick: (e) => {
      for (const b of claims) b.setAttribute('aria-pressed', String(b === e.currentTarget));
      support.className = 'support';
      support.replaceChildren(claim.support.end > claim.support.start ? `Supported to ${claim.score.toFixed(2)} by: ${cut(context, claim.support)}` : 'Nothing in the context supports this.');
    },
  }, cut(text, claim)));
  const measured = Object.entries(c.signals ?? {}).map(([name, value]) => h('tr', {}, h('th', { scope: 'row' }, signals[name]?.[0] ?? name), h('td', { class: 'right mono' }, value.toFixed(3)), h('td', { class: 'note' }, signals[name]?.[1] ?? '')));
  const missing = Object.entries(c.not_measured ?? {}).map(([name, why]) => h('tr', {}, h('th', { scope: 'row' }, signals[name]?.[0] ?? name), h('td', { class: 'right' }, '–'), h('td', { class: 'note' }, why)));
  const d = known.decision;
  return [
    h('h3', {}, 'Answer'), h('div', { class: 'card text' }, text),
    d ? h('p', {}, h('span', { class: `badge ${d.action === 'answer' ? 'good' : 'bad'}` }, actions[d.action] ?? d.action), ' ', (d.reasons ?? []).join('; ')) : null,
    claims.length ? h('div', {}, h('h3', {}, 'Its sentences in the context'), h('div', { class: 'claims' }, claims), support) : null,
    h('h3', {}, 'Measures'), h('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Measures' }, h('table', {}, h('tbody', {}, measured, missing))),
    c.samples?.length ? h('div', {}, h('h3', {}, 'Other answers to the same'), c.samples.map((s) => h('div', { class: 'card text sample' }, h('span', { class: `badge ${s.same ? 'good' : ''}` }, s.same ? 'says the same' : 'says something else'), ' ', s.text))) : null,
    answer.foundling?.memory?.length ? h('div', {}, h('h3', {}, 'What it was told of the user'), h('ul', {}, answer.foundling.memory.map((f) => h('li', {}, f.text)))) : null,
  ].filter(Boolean);
}
