// Line charts as drawings in the page.
import { h, svg, unique } from './dom.js';

const margin = { left: 52, right: 12, top: 10, bottom: 26 };

// figures writes a number in few signs.
export function figures(x) {
  if (!Number.isFinite(x) || Math.abs(x) >= 1e300) return 'not finite';
  const size = Math.abs(x);
  if (size === 0) return '0';
  if (size >= 1e5 || size < 1e-3) return x.toExponential(1).replace('e+', 'e');
  return String(Number(x.toPrecision(size >= 1000 ? 5 : 4)));
}

// chart is a figure of lines {name, points: [[x, y]], kind}; kind is a class: "dots" for
// points alone, "faint" for a background. What is under the pointer is told below it.
export function chart({ title, lines, width = 420, height = 190, xName = 'step' }) {
  const finite = lines.map((l) => ({ ...l, points: l.points.filter(([, y]) => Number.isFinite(y) && Math.abs(y) < 1e300) })).filter((l) => l.points.length);
  const id = unique('chart');
  const box = h('figure', { class: 'chart' }, h('figcaption', { id }, title));
  if (!finite.length) {
    box.append(h('p', { class: 'note' }, 'Nothing has been logged yet.'));
    return box;
  }
  const xs = finite.flatMap((l) => l.points.map(([x]) => x));
  const ys = finite.flatMap((l) => l.points.map(([, y]) => y));
  const [x0, x1] = spread(Math.min(...bounds(xs)), Math.max(...bounds(xs)));
  const [y0, y1] = window(ys);
  const px = (x) => margin.left + ((x - x0) / (x1 - x0)) * (width - margin.left - margin.right);
  const py = (y) => height - margin.bottom - ((Math.min(y1, Math.max(y0, y)) - y0) / (y1 - y0)) * (height - margin.top - margin.bottom);
  const picture = svg('svg', { viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-labelledby': id });
  for (const y of ticks(y0, y1, 4)) {
    picture.append(svg('line', { class: 'grid', x1: margin.left, x2: width - margin.right, y1: py(y), y2: py(y) }),
      svg('text', { x: margin.left - 6, y: py(y) + 3.5, 'text-anchor': 'end' }, figures(y)));
  }
  for (const x of ticks(x0, x1, 5)) picture.append(svg('text', { x: px(x), y: height - 8, 'text-anchor': 'middle' }, figures(x)));
  finite.forEach((l, i) => {
    const kind = `${l.kind ?? ''} c${i % 6}`;
    if (l.kind === 'dots' || l.points.length === 1) for (const [x, y] of l.points) picture.append(svg('circle', { class: `dot ${kind}`, cx: px(x), cy: py(y), r: 2.5 }));
    if (l.points.length > 1) picture.append(svg('polyline', { class: `line ${kind}`, points: l.points.map(([x, y]) => `${px(x).toFixed(1)},${py(y).toFixed(1)}`).join(' ') }));
  });
  const mark = svg('line', { class: 'mark', y1: margin.top, y2: height - margin.bottom, visibility: 'hidden' });
  picture.append(mark);
  const last = finite.map((l) => `${l.name} ${figures(l.points.at(-1)[1])}`).join(', ');
  const told = h('p', { class: 'told' }, `Last: ${last}`);
  picture.addEventListener('pointermove', (e) => {
    const at = picture.getBoundingClientRect();
    const x = x0 + ((((e.clientX - at.left) / at.width) * width - margin.left) / (width - margin.left - margin.right)) * (x1 - x0);
    const near = finite.map((l) => [l.name, l.points.reduce((a, b) => (Math.abs(b[0] - x) < Math.abs(a[0] - x) ? b : a))]);
    const at0 = near[0][1][0];
    mark.setAttribute('x1', px(at0));
    mark.setAttribute('x2', px(at0));
    mark.setAttribute('visibility', 'visible');
    told.textContent = `${xName} ${at0}: ${near.map(([name, [, y]]) => `${name} ${figures(y)}`).join(', ')}`;
  });
  picture.addEventListener('pointerleave', () => {
    mark.setAttribute('visibility', 'hidden');
    told.textContent = `Last: ${last}`;
  });
  box.append(...[picture, finite.length > 1 ? h('p', { class: 'legend' }, finite.map((l, i) => h('span', {}, h('i', { class: `key c${i % 6} ${l.kind ?? ''}`, 'aria-hidden': 'true' }), l.name))) : null, told].filter(Boolean));
  return box;
}

// bounds is the least and the greatest, of lists of any length.
function bounds(list) {
  let [lo, hi] = [Infinity, -Infinity];
  for (const x of list) {
    if (x < lo) lo = x;
    if (x > hi) hi = x;
  }
  return [lo, hi];
}

const spread = (lo, hi) => (hi > lo ? [lo, hi] : [lo - (Math.abs(lo) / 10 || 0.5), hi + (Math.abs(hi) / 10 || 0.5)]);

// window is the range of y, without the few first values that dwarf all others.
function window(ys) {
  const sorted = [...ys].sort((a, b) => a - b);
  const at = (share) => sorted[Math.floor(share * (sorted.length - 1))];
  let [lo, hi] = [sorted[0], sorted.at(-1)];
  if (sorted.length > 50 && hi - at(0.98) > 4 * (at(0.98) - lo)) hi = at(0.98);
  [lo, hi] = spread(lo, hi);
  const room = (hi - lo) * 0.05;
  return [lo >= 0 && lo - room < 0 ? 0 : lo - room, hi + room];
}

// ticks are round numbers between two.
function ticks(lo, hi, about) {
  const raw = (hi - lo) / about;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= raw);
  const out = [];
  for (let x = Math.ceil(lo / step) * step; x <= hi + step * 1e-9; x += step) out.push(Math.abs(x) < step * 1e-9 ? 0 : x);
  return out;
}

// smooth is the mean of each point and its neighbours, of a fiftieth of all.
export function smooth(points) {
  const good = points.filter(([, y]) => Number.isFinite(y) && Math.abs(y) < 1e300);
  const sums = [0];
  for (const [, y] of good) sums.push(sums.at(-1) + y);
  const reach = Math.ceil(good.length / 100);
  return good.map(([x], i) => {
    const side = Math.min(reach, i, good.length - 1 - i);
    return [x, (sums[i + side + 1] - sums[i - side]) / (2 * side + 1)];
  });
}
