// The candidates tab: several texts for one prompt, what each way of choosing makes of
// them, and the user's vote, which is kept as a pair that dpo learns from.
import { del, events, get, put, send, voteName } from '../api.js';
import { announce, complain, fill, h, problem, slider, unique } from '../dom.js';
import { markdown } from '../markdown.js';
import { read } from '../generate.js';
import { defaults, fields, knobForm, number } from '../settings.js';

// ways are the selectors, as a request names them; with(options) adds what they need.
const ways = [
  { name: 'sumlogp', title: 'Most probable text', why: 'the sum of log-probabilities: prefers short texts' },
  { name: 'meanlogp', title: 'Most probable per token', why: 'the mean of log-probabilities, as best_of has it' },
  { name: 'gnmt', title: 'GNMT', why: 'the sum with a penalty of length' },
  { name: 'majority', title: 'Majority', why: 'the answer that most texts give', with: (o) => ({ extract: o.extract }) },
  { name: 'weighted', title: 'Weighted vote', why: 'a vote in which the probable texts count more', with: (o) => ({ extract: o.extract }) },
  { name: 'heuristic', title: 'Rules', why: 'no repetition, a fit length', with: () => ({ max_repetition: 0.5 }) },
  { name: 'verifier', title: 'Verifier', why: 'the first that a program finds right', with: (o) => (o.verify ? { verify: o.verify } : null) },
];
const letter = (i) => String.fromCharCode(65 + i);

export function mount(el, shell) {
  const tab = new Candidates(el, shell);
  return { shown: () => tab.loadVotes() };
}

class Candidates {
  constructor(el, shell) {
    this.shell = shell;
    this.settings = { ...defaults(shell.model), n: 4, max_tokens: 256, seed: null, extract: 'text', verify: '' };
    this.texts = []; // {content, tokens, finish}
    this.asked = null; // what the texts answer: {model, prompt or messages}
    this.selections = [];
    this.best = -1;
    this.worst = -1;
    this.names = new Map(); // by pair, what the vote on it is called: one sent again is the same
    this.abort = null;
    this.draw(el);
    shell.onModel((model, another) => {
      if (another) Object.assign(this.settings, defaults(model));
      this.drawKnobs();
    });
  }

  draw(el) {
    this.input = h('textarea', { id: 'candidates-prompt', rows: 3, placeholder: 'What the texts are to answer, or go on with' });
    this.input.addEventListener('keydown', (e) => {
      if (e.key === 'Enter' && (e.ctrlKey || e.metaKey)) { e.preventDefault(); this.run(); }
    });
    this.button = h('button', { type: 'submit', class: 'primary' }, 'Write');
    this.knobs = h('div', { class: 'settings' });
    this.trouble = h('div');
    this.cards = h('div', { class: 'cards' });
    this.verdict = h('div', { class: 'verdict', role: 'group', 'aria-label': 'Your vote', hidden: true });
    this.table = h('div', { class: 'scroll' });
    this.votes = h('section', { class: 'votes', 'aria-label': 'Votes' });
    this.drawKnobs();
    el.append(h('div', { class: 'page candidates' },
      h('header', {}, h('h2', {}, 'Candidates'), h('p', {}, 'Several texts for one prompt, and which of them each way of choosing takes. Your own choice is kept as a preference, from which dpo and reward learn.')),
      h('form', { class: 'ask', onsubmit: (e) => { e.preventDefault(); if (this.abort) this.abort.abort(); else this.run(); } },
        h('label', { class: 'field', for: 'candidates-prompt' }, 'Prompt', this.input),
        h('div', { class: 'row between' }, h('details', {}, h('summary', {}, 'Settings'), this.knobs), this.button)),
      this.trouble, h('div', {}, this.verdict, this.cards), this.table, this.votes));
  }

  drawKnobs() {
    const select = (label, name, options) => {
      const id = unique(name);
      const s = h('select', { id, onchange: () => { this.settings[name] = s.value; } }, options.map(([value, text]) => h('option', { value, selected: value === this.settings[name] }, text)));
      return h('label', { class: 'field', for: id }, label, s);
    };
    this.knobs.replaceChildren(
      h('div', {}, slider({ label: 'Texts', min: 2, max: 16, step: 1, value: this.settings.n, onchange: (v) => { this.settings.n = v; } }),
        h('div', { class: 'pair' }, number({ label: 'Tokens at most', name: 'max_tokens', settings: this.settings, min: 1, placeholder: 'all' }), number({ label: 'Seed', name: 'seed', settings: this.settings, placeholder: 'random' })),
        select('What a vote compares', 'extract', [['text', 'the whole text'], ['number', 'the last number'], ['choice', 'a letter, A to E'], ['json', 'a JSON value'], ['code', 'Go code']]),
        select('Verifier', 'verify', [['', 'none'], ['go-parse', 'Go that parses'], ['arithmetic', 'equations that are right'], ['json', 'holds a JSON value']])),
      knobForm(this.settings, null, { hints: false }));
  }

  async run() {
    const prompt = this.input.value;
    if (!prompt.trim() || !(this.shell.model || await this.shell.ready()) || this.abort) return;
    const { model } = this.shell;
    const s = this.settings;
    this.asked = { model: model.id, ...(model.chat ? { messages: [{ role: 'user', content: prompt }] } : { prompt }) };
    this.texts = Array.from({ length: s.n }, () => ({ content: '', tokens: [], finish: null }));
    [this.selections, this.best, this.worst, this.names] = [[], -1, -1, new Map()];
    const selectors = ways.map((w) => ({ w, more: w.with ? w.with(s) : {} })).filter((x) => x.more).map(({ w, more }) => ({ name: w.name, ...more }));
    const body = { ...this.asked, ...fields(s), n: s.n, selectors, return_token_ids: true, logprobs: model.chat ? true : 0 };
    this.abort = new AbortController();
    this.trouble.replaceChildren();
    this.drawTexts();
    let drawn = 0;
    try {
      for await (const event of events(model.chat ? 'v1/chat/completions' : 'v1/completions', body, { signal: this.abort.signal })) {
        for (const choice of event.choices) {
          const text = this.texts[choice.index];
          text.content += choice.delta?.content ?? choice.text ?? '';
          text.tokens.push(...read(choice));
          text.finish = choice.finish_reason ?? text.finish;
        }
        if (event.foundling?.selections) this.selections = event.foundling.selections;
        drawn ||= requestAnimationFrame(() => { drawn = 0; this.drawContents(); });
      }
      announce(`${s.n} texts are written`);
    } catch (err) {
      if (err.name !== 'AbortError') {
        this.trouble.replaceChildren(problem(err));
        if (!this.texts.some((t) => t.content)) this.texts = []; // nothing to vote on
      }
    }
    cancelAnimationFrame(drawn);
    this.abort = null;
    this.drawTexts();
    if (this.votes.querySelector('.problem')) this.loadVotes();
  }

  // takers are the selectors that chose a text.
  takers(i) { return this.selections.filter((x) => x.choice === i).map((x) => ways.find((w) => w.name === x.selector)?.title ?? x.selector); }

  drawTexts() {
    this.button.textContent = this.abort ? 'Stop' : 'Write';
    this.button.classList.toggle('primary', !this.abort);
    const pick = (i, which, label) => h('button', {
      type: 'button', class: 'small', 'data-vote': `${which}${i}`, 'aria-label': `${letter(i)} is the ${which}`, 'aria-pressed': String(this[which] === i), disabled: Boolean(this.abort) || !this.texts[i].content,
      onclick: () => {
        this[which] = this[which] === i ? -1 : i;
        const other = which === 'best' ? 'worst' : 'best';
        if (this[other] === i) this[other] = -1;
        this.drawTexts();
        this.cards.querySelector(`[data-vote="${which}${i}"]`)?.focus();
      },
    }, label);
    this.cards.replaceChildren(...this.texts.map((text, i) => h('article', { class: `card${this.best === i ? ' best' : ''}`, 'aria-label': `Text ${letter(i)}` },
      h('header', {}, h('h3', {}, letter(i)), h('span', { class: 'badges' }, this.takers(i).map((t) => h('span', { class: 'badge accent' }, t)))),
      h('div', { class: 'text' }),
      h('footer', {}, h('span', { class: 'note' }, facts(text)), h('span', { class: 'row' }, pick(i, 'best', 'Best'), pick(i, 'worst', 'Worst'))))));
    this.drawContents();
    this.drawVerdict();
    this.drawTable();
  }

  drawContents() {
    this.cards.querySelectorAll('.text').forEach((el, i) => {
      const { content } = this.texts[i];
      if (this.shell.model?.chat) el.replaceChildren(h('div', { class: 'prose' }, markdown(content)));
      else el.replaceChildren(h('div', { class: 'plain' }, content));
    });
  }

  // pairs are the votes that the user's marks stand for: the best above the worst, or above
  // all others where none is marked. Equal texts say nothing.
  pairs() {
    if (this.best < 0) return [];
    const below = this.worst >= 0 ? [this.worst] : this.texts.map((_, i) => i).filter((i) => i !== this.best);
    return below.filter((i) => this.texts[i].content && this.texts[i].content !== this.texts[this.best].content).map((i) => [this.best, i]);
  }

  drawVerdict() {
    const pairs = this.pairs();
    this.verdict.hidden = this.texts.length === 0;
    const says = this.abort ? 'The texts are being written.'
      : this.best < 0 ? 'Mark the best text; mark the worst one too to compare these two only.'
        : pairs.length === 0 ? 'The others are the same text.'
          : `${letter(this.best)} is better than ${pairs.map(([, i]) => letter(i)).join(', ')}: ${pairs.length} pair${pairs.length === 1 ? '' : 's'}.`;
    this.verdict.replaceChildren(h('span', {}, says), h('button', { type: 'button', class: 'primary', disabled: pairs.length === 0, onclick: () => this.vote() }, 'Vote'));
  }

  async vote() {
    const pairs = this.pairs();
    this.verdict.querySelector('button').disabled = true;
    try {
      for (const [chosen, rejected] of pairs) {
        const selectors = Object.fromEntries(this.selections.map((x) => [x.selector, {
          choice: x.choice === chosen ? 'chosen' : x.choice === rejected ? 'rejected' : 'other', chosen: x.scores?.[chosen] ?? null, rejected: x.scores?.[rejected] ?? null,
        }]));
        const pair = [chosen, rejected].sort().join(' ');
        if (!this.names.has(pair)) this.names.set(pair, voteName());
        await put(`v1/votes/${this.names.get(pair)}`, { ...this.asked, chosen: this.texts[chosen].content, rejected: this.texts[rejected].content, selectors });
      }
      announce('Your vote is kept');
      [this.best, this.worst] = [-1, -1];
      this.drawTexts();
      this.verdict.replaceChildren(h('span', { class: 'badge good', tabindex: '-1' }, `Kept: ${pairs.length} pair${pairs.length === 1 ? '' : 's'}`));
      this.verdict.firstChild.focus();
    } catch (err) {
      this.drawVerdict();
      complain(this.verdict, err);
    }
    await this.loadVotes();
  }

  drawTable() {
    if (!this.selections.length) { this.table.replaceChildren(); return; }
    const rows = this.selections.map((x) => {
      const way = ways.find((w) => w.name === x.selector);
      return h('tr', {}, h('th', { scope: 'row', title: x.why }, way?.title ?? x.selector, h('small', {}, way?.why ?? '')),
        this.texts.map((_, i) => h('td', { class: `right${x.choice === i ? ' chosen' : ''}` }, figure(x.scores?.[i]), x.choice === i ? h('span', { class: 'sr' }, ' chosen') : null)));
    });
    this.table.replaceChildren(h('table', { class: 'selections' }, h('caption', {}, 'Which text each way of choosing takes, by the greatest score'),
      h('thead', {}, h('tr', {}, h('th', { scope: 'col' }, 'Way'), this.texts.map((_, i) => h('th', { scope: 'col', class: 'right' }, letter(i))))), h('tbody', {}, rows)));
  }

  async loadVotes() {
    try {
      const { data, has_more: more } = await get('v1/votes?limit=20');
      this.drawVotes(data, more);
    } catch (err) {
      this.votes.replaceChildren(h('h3', {}, 'Votes'), err.code === 'no_database' ? h('p', { class: 'note' }, 'This server keeps no votes: it was started without a database.') : problem(err));
    }
  }

  drawVotes(data, more) {
    const text = (v) => v.prompt ?? v.messages?.at(-1)?.content ?? '';
    const short = (s) => (s.length > 90 ? `${s.slice(0, 90)}…` : s);
    const judged = (v) => (v.tie ? h('td', { colspan: 2 }, h('span', { class: 'badge' }, 'tie'), ` ${short(v.chosen)}`, h('span', { class: 'soft' }, ' is as good as '), short(v.rejected))
      : [h('td', {}, short(v.chosen)), h('td', {}, short(v.rejected))]);
    const rows = data.map((v) => h('tr', {}, h('td', {}, short(text(v))), judged(v),
      h('td', { class: 'right' }, h('button', { type: 'button', class: 'quiet small', 'aria-label': `Delete the ${v.tie ? 'tie of' : 'vote for'} ${short(v.chosen)}`, onclick: async (e) => {
        e.currentTarget.disabled = true;
        const failed = await del(`v1/votes/${encodeURIComponent(v.id)}`).then(() => announce('Deleted'), (err) => err);
        await this.loadVotes();
        if (failed) complain(this.votes, failed);
      } }, 'Delete'))));
    fill(this.votes, h('div', { class: 'row between' }, h('h3', {}, 'Votes'),
      h('button', { type: 'button', class: 'small', disabled: !data.length, onclick: () => this.exportVotes() }, 'Export for dpo')),
    data.length ? h('div', { class: 'scroll' }, h('table', {}, h('thead', {}, h('tr', {}, ['Prompt', 'Chosen', 'Rejected', ''].map((t) => (t ? h('th', { scope: 'col' }, t) : h('td'))))), h('tbody', {}, rows)))
      : h('p', { class: 'note' }, 'None yet.'), more ? h('p', { class: 'note' }, 'The last 20; the export has all.') : null);
  }

  async exportVotes() {
    try {
      const file = await (await send('GET', 'v1/votes/export')).blob();
      const link = h('a', { href: URL.createObjectURL(file), download: 'votes.jsonl' });
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    } catch (err) {
      complain(this.votes, err);
    }
  }
}

function facts(text) {
  if (!text.tokens.length) return '';
  const mean = text.tokens.reduce((sum, t) => sum + (t.logprob ?? 0), 0) / text.tokens.length;
  return `${text.tokens.length} tokens · perplexity ${Math.exp(-mean).toFixed(1)}${text.finish === 'length' ? ' · cut at the limit' : ''}`;
}

const figure = (x) => (x === null || x === undefined ? '–' : Math.abs(x) >= 100 ? x.toFixed(0) : x.toFixed(2));
