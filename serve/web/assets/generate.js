// Asking for one text: chat or completion, as it comes.
import { events } from './api.js';
import { bytesText } from './tokens.js';

// generate asks for an answer and calls progress(answer) whenever more of it is there.
// The answer is {content, tokens, finish, seed, seconds}, tokens as in conversation.js.
// ask is {model, prompt, fields, prefix}: prompt of conversation.js, fields of settings.js,
// prefix the tokens that the answer begins with, of which the last is forced.
export async function generate({ model, prompt, fields, prefix = [] }, progress, signal) {
  const answer = { content: '', tokens: [], finish: null, seed: null, seconds: 0 };
  const body = { model: model.id, ...prompt, ...fields, return_token_ids: true };
  if (model.chat) body.logprobs = true;
  else body.logprobs = 0;
  if (prefix.length) body.prefix_ids = prefix.map((t) => t.id);
  const started = performance.now();
  let first = 0;
  const onresponse = (r) => { answer.seed = r.headers.get('Foundling-Seed'); };
  const path = model.chat ? 'v1/chat/completions' : 'v1/completions';
  for await (const event of events(path, body, { signal, onresponse })) {
    const choice = event.choices?.[0];
    if (!choice) continue;
    answer.content += choice.delta?.content ?? choice.text ?? '';
    const tokens = read(choice);
    for (const token of tokens) {
      if (answer.tokens.length < prefix.length && prefix[answer.tokens.length].forced) token.forced = true;
      answer.tokens.push(token);
    }
    if (tokens.length && !first && answer.tokens.length > prefix.length) first = performance.now();
    answer.finish = choice.finish_reason ?? answer.finish;
    answer.seconds = (performance.now() - started) / 1000;
    // The first token has the prompt's time in it, so the rate is that of the others.
    const rest = answer.tokens.length - prefix.length - 1;
    if (rest > 0) answer.rate = rest / ((performance.now() - first) / 1000);
    progress(answer);
  }
  return answer;
}

// read is the tokens of an event or of a whole choice.
export function read(choice) {
  const ids = choice.token_ids ?? [];
  const chat = choice.logprobs?.content;
  return ids.map((id, k) => {
    if (Array.isArray(chat)) return { id, text: bytesText(chat[k].token, chat[k].bytes), logprob: chat[k].logprob };
    return { id, text: choice.logprobs?.tokens?.[k] ?? '', logprob: choice.logprobs?.token_logprobs?.[k] ?? null };
  });
}
