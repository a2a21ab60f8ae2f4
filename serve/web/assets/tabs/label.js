// The label tab: which of two answers is better, prompt by prompt, from a file.
import { del, put, voteName } from '../api.js';
import { h, problem } from '../dom.js';
import { percent } from '../ask.js';
import { readPairs, examplePairs, order } from './label-pairs.js';

const kept = (file) => `foundling.label.${file}`;

export function mount(el, shell) {
  const file = h('input', { type: 'file', id: 'label-file', accept: '.jsonl,.json,.txt' });
  const message = h('div', { role: 'status' });
  const work = h('div');
  const send = h('input', { type: 'checkbox', id: 'label-send', checked: true });
  let set = null; // {name, pairs, verdicts: [{at, side: 'first' | 'second' | 'tie' | 'skip', id}]}
  let busy = false;

  const begin = (name, text) => {
    try {
      const { pairs, bad } = readPairs(text);
      message.replaceChildren(...[bad.length ? h('p', { class: 'note' }, `${bad.length} lines hold no prompt with two answers and are left out, the first is line ${bad[0].line}: ${bad[0].why}.`) : null].filter(Boolean));
      if (!pairs.length) throw new Error('The file holds no prompt with two answers.');
      set = { name: `${name}.${pairs.length}.${order(text)}`, title: name, pairs, verdicts: [] };
      try { set.verdicts = (JSON.parse(localStorage.getItem(kept(set.name))) ?? []).filter((v) => v.at < pairs.length); } catch { /* begun anew */ }
      draw(true);
    } catch (err) {
      set = null;
      work.replaceChildren();
      message.replaceChildren(problem(err));
    }
  };
  file.addEventListener('change', async () => {
    if (file.files[0]) begin(file.files[0].name, await file.files[0].text());
  });

  const save = () => { try { localStorage.setItem(kept(set.name), JSON.stringify(set.verdicts)); } catch { /* not kept */ } };
  const next = () => {
    const done = new Set(set.verdicts.map((v) => v.at));
    return set.pairs.findIndex((_, i) => !done.has(i));
  };

  // withdraw takes back the vote on a pair, if the server has it.
  const withdraw = async (pair, id) => {
    await del(`v1/votes/${encodeURIComponent(id)}`).catch((err) => { if (err.status !== 404) throw err; });
    pair.vote = null;
  };

  // judge notes a verdict: side is what was seen, 'left', 'right', 'tie' or 'skip'.
  const judge = async (side) => {
    const at = next();
    if (busy || at < 0) return;
    busy = true;
    const pair = set.pairs[at];
    const swapped = order(set.name + at) % 2 === 1;
    const real = { left: swapped ? 'second' : 'first', right: swapped ? 'first' : 'second' }[side] ?? side;
    try {
      let id = null; // one sent again, or changed, is the same vote
      if (send.checked && real !== 'skip') {
        const [chosen, rejected] = real === 'second' ? [pair.second, pair.first] : [pair.first, pair.second];
        const given = pair.messages ? { messages: pair.messages } : { prompt: pair.prompt };
        id = pair.vote ??= voteName();
        await put(`v1/votes/${id}`, { ...(pair.model ? { model: pair.model } : {}), ...given, chosen, rejected, ...(real === 'tie' ? { tie: true } : {}) });
      } else if (pair.vote) {
        await withdraw(pair, pair.vote); // its answer was lost, itself perhaps not
      }
      set.verdicts.push({ at, side: real, id });
      save();
      message.replaceChildren();
      draw(true);
    } catch (err) {
      if (err.code === 'no_database') pair.vote = null;
      message.replaceChildren(problem(err), err.code === 'no_database'
        ? h('p', { class: 'note' }, 'Without a database the verdicts stay in this browser: take the tick from “Send votes to the server” and save them as a file at the end.') : '');
    } finally {
      busy = false;
    }
  };
  const undo = async () => {
    const last = set.verdicts.at(-1);
    if (busy || !last) return;
    busy = true;
    try {
      if (last.id) await withdraw(set.pairs[last.at], last.id);
      set.verdicts.pop();
      save();
      message.replaceChildren();
      draw(true);
    } catch (err) {
      message.replaceChildren(problem(err));
    } finally {
      busy = false;
    }
  };

  const keys = { 1: () => judge('left'), 2: () => judge('right'), 0: () => judge('tie'), s: () => judge('skip'), u: undo };
  const draw = (focus) => {
    const at = next();
    const count = (side) => set.verdicts.filter((v) => v.side === side).length;
    const decided = count('first') + count('second');
    const bar = h('progress', { max: set.pairs.length, value: set.verdicts.length, 'aria-label': 'Prompts judged' });
    const state = h('div', { class: 'row progress' }, bar, h('span', { class: 'note' }, `${set.verdicts.length} of ${set.pairs.length} judged, ${count('tie')} ties, ${count('skip')} skipped`),
      h('button', { type: 'button', class: 'quiet small', disabled: !set.verdicts.length, onclick: undo }, 'Undo', h('kbd', {}, 'U')),
      h('button', { type: 'button', class: 'small', disabled: !decided, onclick: saveFile }, 'Save as JSONL'));
    if (at < 0) {
      const agreed = set.pairs[0].ranked && decided ? `In ${percent(count('first') / decided)} of the ${decided} decided, the answer that you chose is the one that the file prefers.` : '';
      const end = h('div', { class: 'card end', tabindex: '-1', role: 'group', 'aria-label': 'All judged' }, h('h3', {}, 'All judged'), h('p', {}, agreed));
      work.replaceChildren(state, end);
      if (focus) end.focus();
      return;
    }
    const pair = set.pairs[at];
    const swapped = order(set.name + at) % 2 === 1;
    const [left, right] = swapped ? [pair.second, pair.first] : [pair.first, pair.second];
    const side = (title, text, which, k) => h('section', { class: 'card', 'aria-label': title }, h('header', {}, h('h3', {}, title),
      h('button', { type: 'button', onclick: () => judge(which) }, 'Better', h('kbd', {}, k))), h('div', { class: 'text' }, text));
    const card = h('div', { class: 'pair', tabindex: '-1', role: 'group', 'aria-label': `Prompt ${at + 1} of ${set.pairs.length}` },
      h('section', { class: 'prompt card', 'aria-label': 'Prompt' }, (pair.messages ?? [{ role: 'prompt', content: pair.prompt }]).map((m) => [h('span', { class: 'note' }, m.role), h('div', { class: 'text' }, m.content)])),
      h('div', { class: 'sides' }, side('Left answer', left, 'left', '1'), side('Right answer', right, 'right', '2')),
      h('div', { class: 'row middle' }, h('button', { type: 'button', onclick: () => judge('tie') }, 'As good as each other', h('kbd', {}, '0')),
        h('button', { type: 'button', class: 'quiet', onclick: () => judge('skip') }, 'Skip', h('kbd', {}, 'S'))));
    work.replaceChildren(state, card);
    if (focus) {
      card.focus();
      shell.announce(`Prompt ${at + 1} of ${set.pairs.length}`);
    }
  };
  const key = (e) => {
    const f = keys[e.key.toLowerCase()];
    if (!f || e.ctrlKey || e.metaKey || e.altKey) return;
    e.preventDefault();
    f();
  };
  work.addEventListener('keydown', key);

  const saveFile = () => {
    const lines = set.verdicts.filter((v) => v.side === 'first' || v.side === 'second').map((v) => {
      const p = set.pairs[v.at];
      const [chosen, rejected] = v.side === 'first' ? [p.first, p.second] : [p.second, p.first];
      return JSON.stringify(p.messages
        ? { prompt: p.messages, chosen: [{ role: 'assistant', content: chosen }], rejected: [{ role: 'assistant', content: rejected }] }
        : { prompt: p.prompt, chosen, rejected });
    });
    const link = h('a', { href: URL.createObjectURL(new Blob([lines.join('\n') + '\n'], { type: 'application/jsonl' })), download: `${set.title.replace(/\.\w+$/, '')}.labels.jsonl` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  };

  el.append(h('div', { class: 'page label' },
    h('header', {}, h('h2', {}, 'Label'), h('p', {}, 'Read a prompt and two answers, and say which is better. Verdicts are kept as votes, which dpo and reward learn from (/v1/votes/export). Left and right are drawn for each prompt.')),
    h('div', { class: 'row' }, h('label', { class: 'field', for: 'label-file' }, 'JSON Lines with prompts and two answers each', file),
      h('button', { type: 'button', class: 'quiet', onclick: () => begin('example', examplePairs) }, 'Try an example'),
      h('label', { class: 'check', for: 'label-send' }, send, 'Send votes to the server')),
    h('p', { class: 'note' }, 'Fields: prompt (or instruction, question, messages), and chosen and rejected, output_1 and output_2, or a list of two answers. While a prompt has the focus the keys are 1 left, 2 right, 0 neither, S skip, U undo.'),
    message, work));
}
