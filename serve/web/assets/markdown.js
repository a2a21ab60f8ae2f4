// Markdown as elements: headings, paragraphs, lists, quotes, tables, code, emphasis, links.
// What is written is text wherever it is not one of these; HTML in it is shown as it
// stands. Links lead to web addresses only.
import { h } from './dom.js';

// markdown is the elements of a text. A text that is still being written is cut at any
// place, so an open fence of code is code already.
export function markdown(text) {
  return blocks(text.replaceAll('\r\n', '\n').split('\n'));
}

const fence = /^(\s*)(```+|~~~+)\s*([\w+#.-]*)\s*$/;
const heading = /^(#{1,6})\s+(.*?)\s*#*\s*$/;
const rule = /^ {0,3}([-*_])(\s*\1){2,}\s*$/;
const item = /^(\s*)([-*+]|\d{1,9}[.)])(\s+)(.*)$/;
const tableRule = /^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$/;
const begins = (line) => fence.test(line) || heading.test(line) || rule.test(line) || item.test(line) || line.startsWith('>');

function blocks(lines) {
  const out = [];
  for (let i = 0; i < lines.length;) {
    const line = lines[i];
    if (line.trim() === '') { i++; continue; }
    const [block, next] = code(lines, i) ?? title(lines, i) ?? quote(lines, i) ?? list(lines, i) ?? table(lines, i) ?? paragraph(lines, i);
    out.push(block);
    i = next;
  }
  return out;
}

function code(lines, i) {
  const open = lines[i].match(fence);
  if (!open) return null;
  const [, indent, mark, language] = open;
  const body = [];
  for (i++; i < lines.length && !(lines[i].trim().startsWith(mark) && lines[i].trim().replaceAll(mark[0], '') === ''); i++) {
    body.push(lines[i].startsWith(indent) ? lines[i].slice(indent.length) : lines[i]);
  }
  return [h('pre', { tabindex: '0', role: 'region', 'aria-label': language ? `Code, ${language}` : 'Code' }, h('code', {}, body.join('\n'))), i + 1];
}

function title(lines, i) {
  if (rule.test(lines[i])) return [h('hr'), i + 1];
  const m = lines[i].match(heading);
  // The page has headings of its own: those of an answer stand below them.
  return m && [h(`h${Math.min(6, m[1].length + 2)}`, {}, inline(m[2])), i + 1];
}

function quote(lines, i) {
  if (!lines[i].startsWith('>')) return null;
  const inside = [];
  for (; i < lines.length && lines[i].startsWith('>'); i++) inside.push(lines[i].replace(/^> ?/, ''));
  return [h('blockquote', {}, blocks(inside)), i];
}

// list takes the items of one level; what is indented below an item belongs to it.
function list(lines, i) {
  const first = lines[i].match(item);
  if (!first || rule.test(lines[i])) return null;
  const ordered = /\d/.test(first[2]);
  const start = ordered ? parseInt(first[2], 10) : 1;
  const el = h(ordered ? 'ol' : 'ul', { start: ordered && start !== 1 ? start : null });
  for (let m; i < lines.length && (m = lines[i].match(item)) && m[1].length < first[1].length + 2 && /\d/.test(m[2]) === ordered;) {
    const indent = m[1].length + m[2].length + m[3].length;
    const inside = [m[4]];
    for (i++; i < lines.length; i++) {
      const depth = lines[i].length - lines[i].trimStart().length;
      const blank = lines[i].trim() === '';
      if (blank && !(i + 1 < lines.length && lines[i + 1].trim() !== '' && lines[i + 1].length - lines[i + 1].trimStart().length >= 2)) break;
      if (!blank && depth < 2 && begins(lines[i])) break;
      inside.push(lines[i].slice(Math.min(depth, indent)));
    }
    const parts = blocks(inside);
    // An item of one paragraph is its text alone.
    el.append(h('li', {}, parts[0]?.tagName === 'P' ? [[...parts[0].childNodes], parts.slice(1)] : parts));
    while (i < lines.length && lines[i].trim() === '' && i + 1 < lines.length && item.test(lines[i + 1])) i++;
  }
  return [el, i];
}

const cells = (line) => line.trim().replace(/^\||\|$/g, '').split(/(?<!\\)\|/).map((c) => c.trim().replaceAll('\\|', '|'));

function table(lines, i) {
  if (!lines[i].includes('|') || i + 1 >= lines.length || !tableRule.test(lines[i + 1]) || !lines[i + 1].includes('-')) return null;
  const head = cells(lines[i]);
  if (cells(lines[i + 1]).length !== head.length) return null;
  const right = cells(lines[i + 1]).map((c) => /^-+:$/.test(c));
  const cell = (tag) => (c, k) => h(tag, { class: right[k] ? 'right' : null }, inline(c));
  const rows = [];
  for (i += 2; i < lines.length && lines[i].includes('|'); i++) rows.push(h('tr', {}, cells(lines[i]).slice(0, head.length).map(cell('td'))));
  return [h('div', { class: 'scroll' }, h('table', {}, h('thead', {}, h('tr', {}, head.map(cell('th')))), h('tbody', {}, rows))), i];
}

function paragraph(lines, i) {
  const inside = [lines[i]];
  for (i++; i < lines.length && lines[i].trim() !== '' && !begins(lines[i]); i++) inside.push(lines[i]);
  return [h('p', {}, inside.flatMap((line, k) => [k > 0 ? h('br') : null, inline(line)])), i];
}

// spans are what stands within a line, the first that matches at a place wins.
const spans = [
  [/^(`{1,8})(?!`)(.+?)(?<!`)\1(?!`)/, (m) => h('code', {}, m[2].length > 2 && m[2].startsWith(' ') && m[2].endsWith(' ') ? m[2].slice(1, -1) : m[2])],
  [/^\\([\\`*_{}[\]()#+\-.!|>~])/, (m) => m[1]],
  [/^\*\*(?=\S)(.+?)(?<=\S)\*\*(?!\*)/, (m) => h('strong', {}, inline(m[1]))],
  [/^__(?=\S)(.+?)(?<=\S)__(?!\w)/, (m) => h('strong', {}, inline(m[1])), true],
  [/^\*(?=\S)(.+?)(?<=\S)\*(?!\*)/, (m) => h('em', {}, inline(m[1]))],
  [/^_(?=\S)(.+?)(?<=\S)_(?!\w)/, (m) => h('em', {}, inline(m[1])), true],
  [/^~~(?=\S)(.+?)(?<=\S)~~/, (m) => h('del', {}, inline(m[1]))],
  [/^\[([^\]]+)\]\((https?:\/\/[^\s)]+)(?:\s+"[^"]*")?\)/, (m) => link(m[2], inline(m[1]))],
  [/^<?(https?:\/\/[^\s<>()]*[^\s<>().,;:!?'"])>?/, (m) => link(m[1], m[1]), true],
];
const special = /[`\\*_~[<h]/;

const link = (href, content) => h('a', { href, target: '_blank', rel: 'noopener noreferrer nofollow' }, content);

function inline(text) {
  const out = [];
  let plain = '';
  for (let i = 0; i < text.length;) {
    const found = special.test(text[i]) && match(text, i);
    if (!found) { plain += text[i++]; continue; }
    if (plain) out.push(plain);
    plain = '';
    out.push(found.node);
    i += found.length;
  }
  if (plain) out.push(plain);
  return out;
}

function match(text, i) {
  const rest = text.slice(i, i + 4000); // a bound for texts of one long line
  for (const [pattern, make, atWord] of spans) {
    if (atWord && i > 0 && /\w/.test(text[i - 1])) continue;
    const m = rest.match(pattern);
    if (m) return { node: make(m), length: m[0].length };
  }
  return null;
}
