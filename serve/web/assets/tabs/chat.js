// The chat tab: conversations with the chosen model, or texts that it goes on with. A
// conversation branches where a question is edited, an answer is asked for again, or a
// token of it is forced.
import { announce, dialog, fill, h, problem } from '../dom.js';
import { add, before, children, newConversation, newID, path, prompt, show, valid } from '../conversation.js';
import { defaults, fields, knobForm, number } from '../settings.js';
import { generate } from '../generate.js';
import { legend } from '../tokens.js';
import { message, refresh } from '../thread.js';
import { openToken } from '../explain.js';
import { reader } from '../reader.js';
import * as store from '../store.js';

export function mount(el, shell) {
  const chat = new Chat(el, shell);
  chat.begin();
  // Whoever moves among the tabs by keyboard stays there.
  return { shown: () => { if (document.activeElement === document.body) chat.input.focus({ preventScroll: true }); } };
}

class Chat {
  constructor(el, shell) {
    this.shell = shell;
    this.c = newConversation();
    this.saved = []; // conversations, the last used first
    this.settings = { ...defaults(shell.model), max_tokens: 512, seed: null };
    this.tokens = false;
    this.editing = null;
    this.running = null; // {node, abort}
    this.draw(el);
    shell.onModel((_, another) => { this.useModel(another); });
  }

  say(err) {
    this.notice.replaceChildren(problem(err));
    this.notice.scrollIntoView({ block: 'nearest' });
  }

  async begin() {
    this.useModel();
    const blank = this.c;
    try {
      const kept = await store.list();
      const begun = this.c !== blank || Object.keys(blank.nodes).length > 0; // meanwhile, by a fast user
      this.saved = [...this.saved, ...kept.filter((c) => !this.saved.some((x) => x.id === c.id))].sort((a, b) => b.updated - a.updated);
      if (kept.length && !begun) this.c = kept[0];
    } catch (err) {
      this.say(new Error(`Conversations are not kept: ${err.message}`));
    }
    this.drawAll();
  }

  draw(el) {
    const button = (label, f, props = {}) => h('button', { type: 'button', class: 'quiet', onclick: f, ...props }, label);
    this.list = h('ul', { class: 'conversations' });
    this.file = h('input', { type: 'file', accept: 'application/json,.json', hidden: true, 'aria-label': 'File of a conversation', onchange: () => this.importFile() });
    this.side = h('aside', { class: 'side', 'aria-label': 'Conversations' },
      button('New conversation', () => this.open(newConversation()), { class: 'new' }), this.list,
      h('div', { class: 'row manage' }, button('Rename', () => this.rename(), { class: 'quiet small' }), button('Export', () => this.exportFile(), { class: 'quiet small' }),
        button('Import', () => this.file.click(), { class: 'quiet small' }), button('Delete', () => this.remove(), { class: 'quiet small' })), this.file);

    this.notice = h('div');
    this.thread = h('div', { class: 'thread' });
    this.scroller = h('div', { class: 'scroller' }, this.notice, this.thread);
    this.input = h('textarea', { id: 'chat-input', rows: 1, 'aria-label': 'Message', autocomplete: 'off' });
    this.send = h('button', { type: 'submit', class: 'primary', id: 'chat-send' }, 'Send');
    this.view = h('button', { type: 'button', class: 'quiet small', 'aria-pressed': 'false', id: 'chat-tokens', onclick: () => this.showTokens() }, 'Show tokens');
    this.legend = h('div', { hidden: true }, legend());
    const form = h('form', { class: 'composer', onsubmit: (e) => { e.preventDefault(); this.submit(); } },
      h('div', { class: 'box' }, this.input, this.send),
      h('div', { class: 'row between' }, this.legend, h('span', { class: 'note hint' }, 'Enter sends, Shift+Enter begins a line'), this.view));
    this.input.addEventListener('keydown', (e) => {
      if (e.key === 'Enter' && !e.shiftKey && !e.isComposing) { e.preventDefault(); this.submit(); }
      if (e.key === 'Escape') this.stop();
    });
    this.input.addEventListener('input', () => this.fit());

    this.system = h('textarea', { id: 'chat-system', rows: 4, placeholder: 'None' });
    this.system.addEventListener('input', () => { this.c.system = this.system.value; this.keep(); });
    this.knobs = h('div');
    this.settingsPane = h('aside', { class: 'settings', 'aria-label': 'Settings' },
      this.systemField = h('label', { class: 'field', for: 'chat-system' }, 'System prompt', this.system), this.knobs);

    const toggle = (pane, label) => h('button', { type: 'button', class: 'quiet small', 'aria-expanded': 'false', onclick: (e) => {
      e.currentTarget.setAttribute('aria-expanded', String(pane.classList.toggle('open')));
    } }, label);
    el.append(h('div', { class: 'chat' },
      h('div', { class: 'drawers' }, toggle(this.side, 'Conversations'), toggle(this.settingsPane, 'Settings')),
      this.side, h('div', { class: 'middle' }, this.scroller, form), this.settingsPane));
  }

  useModel(another = true) {
    const model = this.shell.model;
    if (another) Object.assign(this.settings, defaults(model));
    this.knobs.replaceChildren(knobForm(this.settings),
      h('div', { class: 'pair' }, number({ label: 'Tokens at most', name: 'max_tokens', settings: this.settings, min: 1, placeholder: 'all' }),
        number({ label: 'Seed', name: 'seed', settings: this.settings, placeholder: 'random' })),
      h('button', { type: 'button', class: 'quiet small', onclick: () => this.useModel() }, 'Reset to the model’s own'));
    const chat = model?.chat ?? true;
    this.systemField.hidden = !chat;
    this.input.placeholder = chat ? `Message ${model?.id ?? ''}` : 'The beginning of a text';
    this.input.setAttribute('aria-label', chat ? 'Message' : 'Text');
    this.drawThread();
  }

  drawAll() {
    this.system.value = this.c.system;
    this.drawList();
    this.drawThread();
    this.scroller.scrollTop = this.scroller.scrollHeight;
  }

  drawList() {
    const all = this.saved.some((c) => c.id === this.c.id) ? this.saved : [this.c, ...this.saved];
    this.list.replaceChildren(...all.map((c) => h('li', {}, h('button', {
      type: 'button', class: 'quiet', 'aria-current': c.id === this.c.id ? 'true' : null, onclick: () => this.open(c),
    }, c.title || 'New conversation'))));
  }

  get viewOf() {
    return { c: this.c, chat: this.shell.model?.chat ?? true, tokens: this.tokens, running: this.running?.node.id ?? null, editing: this.editing, act: (...a) => this.act(...a) };
  }

  drawThread() {
    const editor = () => this.thread.querySelector(`[data-node="${this.editing}"] .editor textarea`);
    const draft = editor()?.value;
    const nodes = path(this.c);
    if (nodes.length === 0) this.thread.replaceChildren(this.welcome());
    else {
      fill(this.thread, nodes.map((n) => [message(n, this.viewOf), n.error ? problem(new Error(n.error)) : null]));
    }
    this.send.textContent = this.running ? 'Stop' : 'Send';
    this.send.classList.toggle('primary', !this.running);
    if (draft !== undefined && editor()) editor().value = draft;
    editor()?.focus();
  }

  welcome() {
    const model = this.shell.model;
    if (!model) return h('div', { class: 'welcome' }, h('h2', {}, 'The server has named no model yet'), h('p', {}, 'Send asks it again.'));
    return h('div', { class: 'welcome' }, h('h2', {}, model.chat ? `Talk to ${model.id}` : `${model.id} goes on with texts`),
      h('p', {}, model.chat ? 'It runs on this server. What you write stays there and in this browser.' : 'It has not learned to answer. Write the beginning of something.'),
      h('p', {}, '“Show tokens” lets you open each word of an answer: what else it could have been, what the settings removed, and how the text goes on if another one stands there.'));
  }

  fit() {
    this.input.style.height = 'auto';
    this.input.style.height = `${Math.min(this.input.scrollHeight + 2, 240)}px`;
  }

  showTokens() {
    this.tokens = !this.tokens;
    this.view.setAttribute('aria-pressed', String(this.tokens));
    this.legend.hidden = !this.tokens;
    this.legend.parentElement.classList.toggle('tokens', this.tokens);
    this.drawThread();
  }

  open(c) {
    if (c.id === this.c.id && c !== this.c) return;
    this.stop();
    this.notice.replaceChildren();
    this.c = c;
    this.editing = null;
    this.drawAll();
    this.input.focus();
  }

  async submit() {
    if (this.running) { this.stop(); return; }
    if (!this.input.value.trim() || !(this.shell.model || await this.shell.ready()) || this.running) return;
    const text = this.input.value;
    const node = add(this.c, path(this.c).at(-1)?.id, 'user', { content: text });
    this.input.value = '';
    this.fit();
    this.answer(node);
  }

  stop() { this.running?.abort.abort(); }

  // act is what the controls of a message do.
  async act(name, node, value) {
    const focus = (id, act) => this.thread.querySelector(`[data-node="${id}"] [data-act="${act}"]:not(:disabled), [data-node="${id}"] .branches button:not(:disabled)`)?.focus();
    this.notice.replaceChildren();
    if (['edited', 'again', 'more', 'token'].includes(name) && !(this.shell.model || await this.shell.ready())) return;
    if (['edited', 'again', 'more'].includes(name) && this.running) return;
    switch (name) {
      case 'branch':
        show(this.c, node);
        this.keep();
        this.drawThread();
        focus(node.id, value);
        break;
      case 'edit': {
        const was = this.editing;
        this.editing = node?.id ?? null;
        this.drawThread();
        if (was && !node) focus(was, 'edit');
        break;
      }
      case 'edited':
        this.editing = null;
        this.answer(add(this.c, node.parent, 'user', { content: value }));
        break;
      case 'again':
        this.answer(this.c.nodes[node.parent], { another: children(this.c, node.parent).length });
        break;
      case 'more': {
        const model = this.writer(node);
        if (model) this.answer(this.c.nodes[node.parent], { model, prefix: node.tokens, settings: node.settings, seed: node.seed });
        break;
      }
      case 'copy':
        await navigator.clipboard?.writeText(node.content);
        announce('Copied');
        break;
      case 'token':
        await this.token(node, value);
        break;
    }
  }

  // writer is the model that wrote an answer, which may be served no longer.
  writer(node) {
    const model = this.shell.models.find((m) => m.id === node.model);
    if (!model) this.say(new Error(`The model ${node.model} is not served any more: Regenerate asks the one that is chosen.`));
    return model;
  }

  // token opens one, and forks the answer where another is chosen.
  async token(node, index) {
    const model = this.writer(node);
    if (!model) return;
    const ask = { model, prompt: prompt(node.system ?? '', before(this.c, node), model), settings: node.settings ?? this.settings, seed: node.seed };
    const chosen = await openToken(ask, node.tokens, index);
    if (!chosen) { this.thread.querySelector(`[data-node="${node.id}"] [data-token="${index}"]`)?.focus(); return; }
    const prefix = [...node.tokens.slice(0, chosen.index), { ...chosen.token, forced: true }];
    this.answer(this.c.nodes[node.parent], { model, prefix, settings: { ...(node.settings ?? this.settings), ...chosen.settings }, seed: node.seed });
  }

  // answer writes below a question. prefix is the tokens that the answer begins with.
  async answer(question, { model = this.shell.model, prefix = [], settings = this.settings, seed = null, another = 0 } = {}) {
    const { c } = this;
    const used = { ...settings };
    if (seed !== null && seed !== undefined) used.seed = Number(seed);
    else if (another && Number.isSafeInteger(used.seed)) used.seed += another; // the same seed would write the same
    if (prefix.length && used.max_tokens) used.max_tokens += prefix.length; // which counts them
    const node = add(this.c, question.id, 'assistant', { model: model.id, system: this.c.system, tokens: prefix, content: prefix.map((t) => t.text).join(''), settings: { ...settings } });
    const abort = new AbortController();
    this.running = { node, abort };
    this.keep(c); // should another one be opened meanwhile
    this.drawThread();
    this.scroller.scrollTop = this.scroller.scrollHeight;
    this.input.focus({ preventScroll: true });
    const speak = reader();
    let drawn = 0;
    try {
      await generate({ model, prompt: prompt(this.c.system, before(this.c, node), model), fields: fields(used), prefix }, (answer) => {
        if (answer.tokens.length < prefix.length) return; // it is there already
        Object.assign(node, answer);
        speak(answer.content);
        drawn ||= requestAnimationFrame(() => {
          drawn = 0;
          const below = this.scroller.scrollHeight - this.scroller.scrollTop - this.scroller.clientHeight < 60;
          const el = this.thread.querySelector(`[data-node="${node.id}"]`);
          if (el) refresh(el, node, this.viewOf);
          if (below) this.scroller.scrollTop = this.scroller.scrollHeight;
        });
      }, abort.signal);
      speak(node.content, true);
    } catch (err) {
      if (err.name === 'AbortError') node.finish = 'stopped';
      else node.error = problem(err).textContent;
    }
    cancelAnimationFrame(drawn);
    this.running = null;
    this.keep(c);
    this.drawThread();
    if (node.error) this.scroller.scrollTop = this.scroller.scrollHeight; // what went wrong stands below the answer
  }

  // keep saves a conversation once it has a message, unless it was deleted.
  async keep(c = this.c) {
    if (!Object.keys(c.nodes).length || (c !== this.c && !this.saved.includes(c))) return;
    this.saved = [c, ...this.saved.filter((x) => x.id !== c.id)].sort((a, b) => b.updated - a.updated);
    this.drawList();
    try {
      await store.save(c);
    } catch (err) {
      this.say(new Error(`This conversation is not kept: ${err.message}`));
    }
  }

  async rename() {
    const input = h('input', { type: 'text', id: 'chat-title', value: this.c.title });
    const done = await dialog('Name of the conversation', h('label', { class: 'field', for: 'chat-title' }, 'Name', input), [{ label: 'Rename', value: 'ok', primary: true }, { label: 'Cancel', value: '' }]);
    if (done !== 'ok') return;
    this.c.title = input.value.trim();
    this.keep();
    this.drawList();
  }

  async remove() {
    const done = await dialog('Delete this conversation?', h('p', {}, `“${this.c.title || 'New conversation'}” is removed from this browser for good.`), [{ label: 'Delete', value: 'ok', primary: true }, { label: 'Keep it', value: '' }]);
    if (done !== 'ok') return;
    this.stop();
    const id = this.c.id;
    this.saved = this.saved.filter((c) => c.id !== id);
    this.c = this.saved[0] ?? newConversation();
    await store.remove(id);
    this.drawAll();
    announce('Deleted');
  }

  exportFile() {
    const link = h('a', { href: URL.createObjectURL(new Blob([JSON.stringify(this.c, null, 2)], { type: 'application/json' })), download: `${(this.c.title || 'conversation').replace(/[^\w-]+/g, '-').slice(0, 40)}.json` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }

  async importFile() {
    const [file] = this.file.files;
    this.file.value = '';
    try {
      const c = JSON.parse(await file.text());
      if (!valid(c)) throw new Error('it holds no conversation of this page');
      this.open({ ...c, id: newID(), updated: Date.now() });
      this.keep();
    } catch (err) {
      this.say(new Error(`${file.name}: ${err.message}`));
    }
  }
}
