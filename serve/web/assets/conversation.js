// A conversation is a tree of messages: an edited question or another answer is a sibling
// of the first, and one path from the root is shown.
//
//   {id, title, updated, system, nodes: {ID: node}, shown: {PARENT: ID}}
//   node {id, parent, role, content, at}, of answers also {model, system, settings, tokens,
//         seed, rate, finish, error}: what they were asked with and how it went
//   token {id, text, logprob, forced}, of answers
const root = 'root';

// newID is a name that no other has. (randomUUID is for pages of https and localhost only.)
export function newID() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, '0')).join('');
}

export function newConversation() {
  return { id: newID(), title: '', updated: Date.now(), system: '', nodes: {}, shown: {} };
}

export function add(c, parent, role, fields = {}) {
  const node = { id: newID(), parent: parent ?? root, role, content: '', at: Object.keys(c.nodes).length, ...fields };
  c.nodes[node.id] = node;
  c.shown[node.parent] = node.id;
  c.updated = Date.now();
  if (!c.title && role === 'user') c.title = node.content.trim().split('\n')[0].slice(0, 60);
  return node;
}

export const children = (c, parent) => Object.values(c.nodes).filter((n) => n.parent === (parent ?? root)).sort((a, b) => a.at - b.at);

export const siblings = (c, node) => children(c, node.parent);

// path is the nodes that are shown, the first question first.
export function path(c) {
  const out = [];
  for (let at = root; ;) {
    const below = children(c, at);
    if (below.length === 0) return out;
    const node = below.find((n) => n.id === c.shown[at]) ?? below.at(-1);
    out.push(node);
    at = node.id;
  }
}

// before is the nodes above one, on the way to it.
export function before(c, node) {
  const out = [];
  for (let n = c.nodes[node.parent]; n; n = c.nodes[n.parent]) out.unshift(n);
  return out;
}

export function show(c, node) { c.shown[node.parent] = node.id; }

// prompt is what the server is asked for the answer behind nodes: messages for a model of
// conversations; the text so far for one that goes on with texts.
export function prompt(system, nodes, model) {
  if (!model.chat) return { prompt: nodes.map((n) => n.content).join('') };
  const messages = nodes.map((n) => ({ role: n.role, content: n.content }));
  if (system.trim()) messages.unshift({ role: 'system', content: system });
  return { messages };
}

// valid says whether something read from a file is a conversation.
export function valid(c) {
  const text = (v) => typeof v === 'string';
  return Boolean(c) && text(c.id) && text(c.title) && text(c.system) && typeof c.updated === 'number'
    && c.shown !== null && typeof c.shown === 'object' && c.nodes !== null && typeof c.nodes === 'object'
    && Object.entries(c.nodes).every(([id, n]) => n && n.id === id && text(n.parent) && (n.parent === root || n.parent in c.nodes)
      && ['user', 'assistant'].includes(n.role) && text(n.content) && typeof n.at === 'number'
      && (n.tokens === undefined || (Array.isArray(n.tokens) && n.tokens.every((t) => Number.isInteger(t?.id) && text(t.text)))))
    && Object.values(c.nodes).every((n) => before(c, n).every((b) => b.at < n.at));
}
