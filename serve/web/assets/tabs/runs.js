// The runs tab: curves, samples and reports of run directories, as they grow.
import { get, send, getKey, url } from '../api.js';
import { h, problem, roving } from '../dom.js';
import { chart, figures, smooth } from '../chart.js';

const pause = 2000; // between looks at a run that goes on

// path is the address of a run by its name.
const path = (name) => `v1/runs/${name === '.' ? '' : name.split('/').map(encodeURIComponent).join('/')}`;
const reportPath = (name) => `${path(name).replace(/\/$/, '')}/report.html`;

export function mount(el, shell) {
  const list = h('div', { class: 'list', role: 'group', 'aria-label': 'Runs' });
  const detail = h('div', { class: 'detail' });
  const message = h('div');
  const fix = roving(list, 'button');
  let runs = [];
  let open = null; // {name, info, logs: Map of name to rows, log}
  let timer = null;
  let visible = false;

  const loadList = async () => {
    try {
      runs = (await get('v1/runs')).data;
      message.replaceChildren();
      drawList();
      return true;
    } catch (err) {
      message.replaceChildren(err.code === 'no_runs'
        ? h('p', { class: 'empty' }, 'No runs are shown here. Start the server with ', h('code', {}, 'foundling serve --runs DIR'), ', where DIR holds directories that raise, pretrain, sft and the others wrote.')
        : problem(err));
      return false;
    }
  };
  const drawList = () => {
    const focused = list.contains(document.activeElement) ? document.activeElement.dataset.run : null;
    list.replaceChildren(...runs.map((r) => h('button', { type: 'button', 'data-run': r.name, 'aria-pressed': String(open?.name === r.name), tabindex: '-1', onclick: () => shell.go('runs', r.name) },
      h('span', { class: 'run-name' }, r.name === '.' ? 'this folder' : r.name),
      h('span', { class: 'note' }, [r.command || (r.report ? 'report' : 'run'), ago(r.updated)].join(', ')),
      r.live ? h('span', { class: 'badge good' }, 'live') : null)));
    if (!runs.length) list.replaceChildren(h('p', { class: 'note' }, 'The folder holds no run yet.'));
    fix();
    if (focused !== null) [...list.querySelectorAll('button')].find((b) => b.dataset.run === focused)?.focus();
  };

  const show = async (name) => {
    if (open?.name === name && open.info) return;
    open = { name, logs: new Map(), log: null, report: null };
    drawList();
    detail.replaceChildren(h('p', { class: 'note' }, 'Reading …'));
    await reload();
  };
  // reload reads all of the run.
  const reload = async () => {
    const mine = open;
    try {
      const answer = await get(path(mine.name));
      if (open !== mine) return;
      mine.info = answer;
      mine.logs = new Map(answer.logs.map((l) => [l.name, l]));
      mine.log = mine.logs.has(mine.log) ? mine.log : newest(answer.logs)?.name ?? null;
      draw();
    } catch (err) {
      if (open === mine) (mine.info ? message : detail).replaceChildren(problem(err));
    }
  };
  // follow reads what was logged since.
  const follow = async () => {
    const mine = open;
    if (!mine?.info || mine.log === null) return;
    const log = mine.logs.get(mine.log);
    const answer = await get(`${path(mine.name)}?log=${encodeURIComponent(mine.log)}&since=${log.last}`);
    if (open !== mine) return;
    const now = answer.logs[0];
    mine.info.live = answer.live;
    if (now.last < log.last || answer.report !== mine.info.report) { // it went back to a checkpoint, or ended
      await reload();
      return;
    }
    if (!now.rows.length) return;
    log.rows.push(...now.rows);
    log.last = now.last;
    log.updated = now.updated;
    if (log.rows.length > 6000) await reload();
    else drawCharts();
  };
  const tick = async () => {
    timer = null;
    if (!visible) return;
    try {
      if (document.visibilityState === 'visible') {
        if (open?.info?.live) await follow();
        if (++beats % 5 === 0) {
          if (await loadList() && open && !open.info) await reload();
          const now = runs.find((r) => r.name === open?.name);
          if (now && open.info && (now.live !== open.info.live || now.logs.length !== open.info.logs.length)) await reload();
        }
      }
    } catch { // it is away, or the run is gone
      await loadList();
    }
    timer = setTimeout(tick, pause);
  };
  let beats = 0;

  const charts = h('div', { class: 'charts' });
  const head = h('div', { class: 'cards' });
  const draw = () => {
    const { info } = open;
    const logs = h('div', { class: 'row logs', role: 'group', 'aria-label': 'Stages' }, [...open.logs.keys()].map((name) => h('button', {
      type: 'button', class: 'small', 'aria-pressed': String(name === open.log), 'data-log': name,
      onclick: (e) => {
        open.log = name;
        for (const b of e.target.parentElement.children) b.setAttribute('aria-pressed', String(b.dataset.log === name));
        drawCharts();
      },
    }, name || 'training')));
    detail.replaceChildren(
      h('header', {}, h('h3', {}, info.name === '.' ? 'this folder' : info.name), h('div', { class: 'row' },
        info.command ? h('span', { class: 'badge' }, info.command) : null, info.live ? h('span', { class: 'badge good' }, 'live') : null)),
      ...[open.logs.size > 1 ? logs : null, open.logs.size ? head : null, open.logs.size ? charts : null,
        info.report ? report() : null, info.samples.length ? samples(info.samples) : null, stages(info.stages), options(info.run)].filter(Boolean));
    drawCharts();
  };
  const drawCharts = () => {
    const log = open.logs.get(open.log);
    if (!log) return;
    const points = (f) => log.rows.map((r) => [r.step, f(r)]).filter(([, y]) => typeof y === 'number');
    const loss = points((r) => r.loss);
    const last = log.rows.at(-1);
    const held = points((r) => r.val_loss);
    const bits = points((r) => r.val_bpb);
    head.replaceChildren(...[
      ['Step', last ? String(last.step) : '–'], ['Loss', loss.length ? figures(smooth(loss).at(-1)[1]) : '–'],
      held.length ? ['Held-out loss', figures(held.at(-1)[1])] : null, bits.length ? ['Held-out bits a byte', figures(bits.at(-1)[1])] : null,
      last?.tokens ? ['Trained on', `${figures(last.tokens)} tokens`] : null, last?.tokens_per_second ? ['Speed', `${figures(last.tokens_per_second)} tokens/s`] : null,
      ['Last step', ago(log.updated)],
    ].filter(Boolean).map(([name, value]) => h('div', {}, h('span', {}, name), h('b', {}, value))));
    const all = [chart({ title: 'Loss', width: 760, height: 280, lines: [
      { name: 'each step', points: loss, kind: 'faint' }, { name: 'smoothed', points: smooth(loss) }, held.length ? { name: 'held out', points: held, kind: 'dots' } : null,
    ].filter(Boolean) })];
    const others = [['grad_norm', 'Norm of the gradient'], ['lr', 'Learning rate'], ['tokens_per_second', 'Tokens a second'], ['val_bpb', 'Held-out bits a byte']];
    for (const [key, title] of others) {
      const line = points((r) => r[key]);
      if (line.length > 1) all.push(chart({ title, lines: [{ name: title.toLowerCase(), points: line }] }));
    }
    const extra = [...new Set(log.rows.flatMap((r) => Object.keys(r.extra ?? {})))].sort();
    for (const key of extra) {
      const line = points((r) => r.extra?.[key]);
      if (line.length) all.push(chart({ title: key, lines: [{ name: key, points: line }] }));
    }
    const openTable = charts.querySelector('details')?.open;
    charts.replaceChildren(...all, table(log, extra, openTable));
  };

  // report shows the run's own page, shut in: it can run nothing and reach nothing.
  const report = () => {
    const frame = h('div');
    const address = url(reportPath(open.name)).href;
    const button = h('button', { type: 'button', 'aria-expanded': 'false', onclick: () => {
      const on = button.getAttribute('aria-expanded') !== 'true';
      button.setAttribute('aria-expanded', String(on));
      button.textContent = on ? 'Hide the report' : 'Show the report';
      frame.replaceChildren(...(on ? [h('iframe', { src: address, sandbox: '', title: `Report of ${open.name}` })] : []));
    } }, 'Show the report');
    const save = h('button', { type: 'button', class: 'quiet', onclick: async () => {
      try {
        const blob = await (await send('GET', reportPath(open.name))).blob();
        const link = h('a', { href: URL.createObjectURL(blob), download: `${open.name.replaceAll('/', '-')}-report.html` });
        link.click();
        setTimeout(() => URL.revokeObjectURL(link.href), 10000);
      } catch (err) {
        frame.replaceChildren(problem(err));
      }
    } }, 'Save it');
    // A frame sends no key: with one the report can be saved.
    return h('section', {}, h('h3', {}, 'Report'), h('div', { class: 'row' }, getKey() ? null : button, save,
      getKey() ? null : h('a', { href: address, target: '_blank', rel: 'noopener' }, 'Open it in a window')), frame);
  };

  el.append(h('div', { class: 'page runs' },
    h('header', {}, h('h2', {}, 'Runs'), h('p', {}, 'What training does, while it does it: every step that a run directory has logged.')),
    message, h('div', { class: 'columns' }, list, detail)));

  return {
    async shown(rest) {
      visible = true;
      if (await loadList()) {
        if (rest) await show(rest);
        else if (open || runs.length) await show(open?.name ?? runs[0].name);
      }
      timer ??= setTimeout(tick, pause);
    },
    hidden() { visible = false; },
  };
}

// newest is the log that was written to last.
const newest = (logs) => logs.reduce((a, b) => (!a || b.updated >= a.updated ? b : a), null);

function samples(list) {
  return h('section', {}, h('h3', {}, 'Samples'), list.map((s) => h('article', { class: 'card sample' },
    s.prompt ? h('pre', { class: 'given' }, s.prompt) : null, h('pre', {}, s.text),
    s.score !== undefined ? h('p', { class: 'note' }, `score ${figures(s.score)}`) : null)));
}

function stages(s) {
  if (!s?.stages?.length) return null;
  return h('section', {}, h('h3', {}, 'Stages'), h('table', {},
    h('thead', {}, h('tr', {}, h('th', { scope: 'col' }, 'Stage'), h('th', { scope: 'col' }, 'What'), h('th', { scope: 'col', class: 'right' }, 'Seconds'), h('th', { scope: 'col', class: 'right' }, 'Planned'))),
    h('tbody', {}, s.stages.map((x) => h('tr', {}, h('td', {}, x.name), h('td', {}, x.what ?? ''), h('td', { class: 'right' }, figures(x.seconds ?? 0)), h('td', { class: 'right' }, figures(x.planned_seconds ?? 0)))))));
}

function options(run) {
  if (!run) return null;
  return h('details', {}, h('summary', {}, 'run.json: all that the run depends on'), h('pre', { class: 'scroll' }, JSON.stringify(run, null, 2)));
}

// table has the figures of the last steps, for whom a drawing is nothing.
function table(log, extra, open) {
  const keys = ['step', 'loss', 'val_loss', 'val_bpb', 'grad_norm', 'lr'].filter((k) => log.rows.some((r) => r[k] !== undefined));
  const cell = (x) => h('td', { class: 'right' }, typeof x === 'number' ? figures(x) : '');
  return h('details', { open }, h('summary', {}, 'The last steps as a table'), h('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'The last steps' }, h('table', {},
    h('thead', {}, h('tr', {}, [...keys, ...extra].map((k) => h('th', { scope: 'col', class: 'right' }, k)))),
    h('tbody', {}, log.rows.slice(-50).reverse().map((r) => h('tr', {}, keys.map((k) => cell(r[k])), extra.map((k) => cell(r.extra?.[k]))))))));
}

// ago is how long ago a time was, in words.
function ago(seconds) {
  const d = Math.max(0, Date.now() / 1000 - seconds);
  if (d < 5) return 'just now';
  const [n, unit] = d < 90 ? [d, 'second'] : d < 5400 ? [d / 60, 'minute'] : d < 129600 ? [d / 3600, 'hour'] : [d / 86400, 'day'];
  return `${Math.round(n)} ${unit}${Math.round(n) === 1 ? '' : 's'} ago`;
}
