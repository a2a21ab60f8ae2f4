// Prompts with two answers from JSON Lines, in the shapes that data sets have.

// readPairs gives {pairs, bad}: pairs of {prompt or messages, first, second, ranked, model};
// ranked says that the file prefers the first. bad is {line, why}.
export function readPairs(text) {
  const pairs = [];
  const bad = [];
  const rows = text.trimStart().startsWith('[') ? whole(text) : text.split('\n');
  rows.forEach((row, i) => {
    if (typeof row === 'string' && row.trim() === '') return;
    try {
      pairs.push(readPair(typeof row === 'string' ? JSON.parse(row) : row));
    } catch (err) {
      bad.push({ line: i + 1, why: err instanceof SyntaxError ? 'it is not JSON' : err.message });
    }
  });
  return { pairs, bad };
}

function whole(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text.split('\n');
  }
}

function readPair(row) {
  let [a, b] = [row.chosen ?? row.output_1 ?? row.answer_a ?? row.answers?.[0] ?? row.completions?.[0], row.rejected ?? row.output_2 ?? row.answer_b ?? row.answers?.[1] ?? row.completions?.[1]];
  const ranked = row.chosen !== undefined;
  if (a === undefined || b === undefined) throw new Error('it has no two answers');
  let given = row.messages ?? row.prompt ?? row.question ?? row.query ?? row.instruction;
  if (row.instruction !== undefined && row.input) given = `${row.instruction}\n\n${row.input}`;
  if (given === undefined) [given, a, b] = common(a, b);
  const [first, second] = [answer(a), answer(b)];
  if (first === second) throw new Error('both answers are the same');
  const pair = { first, second, ranked, model: typeof row.model === 'string' ? row.model : undefined };
  if (Array.isArray(given)) pair.messages = given.map(({ role, content }) => ({ role: String(role), content: String(content) }));
  else pair.prompt = String(given);
  return pair;
}

// answer is the text of one: itself, or what the assistant says last.
function answer(x) {
  const text = Array.isArray(x) ? x.at(-1)?.content : typeof x === 'object' ? x?.content : x;
  if (typeof text !== 'string' || text === '') throw new Error('an answer is no text');
  return text;
}

// common splits two whole conversations into what they share and their ends.
function common(a, b) {
  if (Array.isArray(a) && Array.isArray(b)) {
    let n = 0;
    while (n < Math.min(a.length, b.length) - 1 && JSON.stringify(a[n]) === JSON.stringify(b[n])) n++;
    if (n === 0) throw new Error('it has no prompt');
    return [a.slice(0, n), a.slice(n), b.slice(n)];
  }
  const turn = '\n\nAssistant:';
  const at = typeof a === 'string' && typeof b === 'string' ? a.lastIndexOf(turn) + turn.length : 0;
  if (at < turn.length || a.slice(0, at) !== b.slice(0, at)) throw new Error('it has no prompt');
  return [turns(a.slice(0, at - turn.length)), a.slice(at).trim(), b.slice(at).trim()];
}

// turns reads a transcript of Human and Assistant.
function turns(text) {
  const out = [];
  for (const [, who, content] of text.matchAll(/\n\n(Human|Assistant):([\s\S]*?)(?=\n\n(?:Human|Assistant):|$)/g)) {
    out.push({ role: who === 'Human' ? 'user' : 'assistant', content: content.trim() });
  }
  if (!out.length) throw new Error('it has no prompt');
  return out;
}

// order is a number that depends on the text alone (FNV-1a).
export function order(text) {
  let x = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) x = Math.imul(x ^ text.charCodeAt(i), 0x01000193) >>> 0;
  return (x ^ (x >>> 15)) >>> 0;
}

export const examplePairs = [
  { prompt: 'How do I keep bread fresh for longer?', answers: ['Keep it in a paper or cloth bag at room temperature, cut side down, and freeze what you will not eat within two days.', 'Bread is a food made of flour and water that people have baked for thousands of years.'] },
  { prompt: 'Is 91 a prime number?', answers: ['Yes, 91 is prime.', 'No: 91 is 7 times 13.'] },
  { prompt: 'Write one sentence about rain.', answers: ['Rain drummed on the tin roof until nobody could hear the radio.', 'Rain is water that falls from clouds onto the ground.'] },
].map((row) => JSON.stringify(row)).join('\n');
