// Texts from a model, whichever way it takes a prompt, and their tokens.
import { visible } from './dom.js';

// given is a prompt as a request's field: a conversation of one turn for a model that
// knows them, else text that it goes on with.
export const given = (model, prompt) => (model.chat ? { messages: [{ role: 'user', content: prompt }] } : { prompt });

// pieces yields {text, ids, tokens, finish} of one answer as it comes. fields are those of
// the request besides model and prompt; ids is there where they ask for return_token_ids,
// tokens is [{token, logprob}] where they ask for logprobs.
export async function* pieces(events, model, prompt, fields, o) {
  const body = { model: model.id, ...given(model, prompt), ...fields, stream_options: { include_usage: true } };
  if (model.chat && body.logprobs !== undefined) {
    body.top_logprobs = body.logprobs;
    body.logprobs = true;
  }
  const path = model.chat ? 'v1/chat/completions' : 'v1/completions';
  for await (const event of events(path, body, o)) {
    const choice = event.choices[0];
    if (!choice) continue;
    const probs = choice.logprobs;
    yield {
      text: (model.chat ? choice.delta.content : choice.text) ?? '',
      tokens: probs?.content ?? (probs?.tokens ?? []).map((token, i) => ({ token, logprob: probs.token_logprobs[i] })),
      ids: choice.token_ids ?? [],
      finish: choice.finish_reason,
    };
  }
}

// shown is a token to look at: what is no text by itself as its bytes.
export function shown({ token, bytes }) {
  if (!bytes) return token; // special
  return token.includes('\ufffd') ? bytes.map((b) => b.toString(16).padStart(2, '0')).join(' ') : visible(token);
}

// later calls f a while after the last of several calls.
export function later(f, milliseconds) {
  let timer;
  return (...args) => {
    clearTimeout(timer);
    timer = setTimeout(() => f(...args), milliseconds);
  };
}

// percent is a share with as many digits as it needs.
export function percent(p) {
  if (p === 0) return '0 %';
  if (p < 0.0001) return '< 0.01 %';
  return `${(100 * p).toFixed(p >= 0.1 ? 0 : p >= 0.01 ? 1 : 2)} %`;
}

// bar shows a share beside its number.
export function bar(h, p, kind = '') {
  const fill = h('span', { class: `fill ${kind}` });
  fill.style.width = `${Math.min(100, 100 * p)}%`;
  return h('span', { class: 'bar-of', 'aria-hidden': 'true' }, fill);
}
