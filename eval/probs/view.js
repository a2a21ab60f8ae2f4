// The page around the chain.
function start(doc) {
  const data = JSON.parse(doc.getElementById("data").textContent);
  const el = id => doc.getElementById(id);
  const shown = 40;
  let place = data.places.findIndex(p => !p.prompt);
  if (place < 0) place = 0;

  const digits = (x, n) => x.toFixed(n);
  const percent = x => (x > 0 && x < 0.0005 ? (100 * x).toExponential(1) : digits(100 * x, 2)) + " %";

  // Sliders: temperature as it is, top-k by the square root, min-p by powers of ten.
  const sliders = {
    temperature: { of: v => v / 100, to: x => Math.round(100 * x), say: x => (x === 0 ? "0 (the most probable)" : digits(x, 2)) },
    top_k: { of: v => Math.round(v * v / 25), to: x => Math.round(Math.sqrt(25 * x)), say: x => (x === 0 ? "all" : String(x)) },
    top_p: { of: v => v / 1000, to: x => Math.round(1000 * x), say: x => (x === 0 || x === 1 ? "all" : digits(x, 3)) },
    min_p: { of: v => (v === 0 ? 0 : Math.pow(10, v / 50 - 4)), to: x => (x === 0 ? 0 : Math.round(50 * (Math.log10(x) + 4))), say: x => (x === 0 ? "all" : x.toPrecision(2)) },
  };
  const settings = Object.assign({}, data.settings);

  function cell(row, text, name) {
    const td = doc.createElement("td");
    td.textContent = text;
    if (name) td.className = name;
    row.appendChild(td);
    return td;
  }

  function draw() {
    const p = data.places[place], r = chain(p.row, settings);
    for (const name in sliders) el(name + "-value").textContent = sliders[name].say(settings[name]);
    const about = r.exact ? "" : "about ";
    el("kept").textContent = about + r.kept;
    el("mass").textContent = about + percent(r.mass);
    el("dropped").textContent = about + percent(Math.max(0, 1 - r.mass));
    el("entropy").textContent = about + digits(r.entropy, 3) + " nats, " + digits(r.entropy / Math.LN2, 3) + " bits";
    const at = p.row.ids.indexOf(p.id);
    if (p.id < 0) el("chosen").textContent = "none";
    else {
      const now = at < 0 ? (settings.temperature === 0 || r.rest === 0 ? "dropped" : "among the rest") : r.probs[at] > 0 ? percent(r.probs[at]) : "dropped";
      el("chosen").textContent = "“" + p.label + "”, rank " + p.rank + ", model " + percent(Math.exp(p.logprob)) + ", now " + now;
    }
    const body = el("candidates");
    body.replaceChildren();
    const most = Math.max(Math.exp(p.row.logprobs[0]), r.probs[0]);
    for (let i = 0; i < Math.min(shown, p.row.ids.length); i++) {
      const row = doc.createElement("tr"), model = Math.exp(p.row.logprobs[i]), now = r.probs[i];
      if (now === 0) row.className = "gone";
      if (i === at) row.setAttribute("aria-current", "true");
      cell(row, String(i + 1), "number");
      cell(row, p.row.labels[i] + (i === at ? " (chosen)" : ""), "token");
      cell(row, percent(model), "number");
      cell(row, now === 0 ? "dropped" : percent(now), "number");
      const bar = cell(row, "", "bars");
      bar.setAttribute("aria-hidden", "true");
      for (const [name, x] of [["model", model], ["now", now]]) {
        const b = doc.createElement("div");
        b.className = name;
        b.style.width = (100 * x / most) + "%";
        bar.appendChild(b);
      }
      body.appendChild(row);
    }
    el("more").textContent = "And " + (p.row.ids.length - Math.min(shown, p.row.ids.length) + p.row.rest.reduce((n, b) => n + b.n, 0)) + " more candidates of the model.";
    for (const b of el("text").children) b.setAttribute("aria-pressed", String(Number(b.dataset.place) === place));
  }

  data.places.forEach((p, i) => {
    const b = doc.createElement("button");
    b.type = "button";
    b.dataset.place = i;
    b.textContent = p.id < 0 ? "next" : p.label;
    b.className = p.prompt ? "prompt" : "new";
    b.setAttribute("aria-label", (p.prompt ? "given token " : "token ") + (i + 1) + ": " + b.textContent);
    b.addEventListener("click", () => { place = i; draw(); });
    el("text").appendChild(b);
  });
  const listed = Math.max(...data.places.map(p => p.row.ids.length));
  el("top_k").max = sliders.top_k.to(listed);
  for (const name in sliders) {
    el(name).value = sliders[name].to(settings[name]);
    el(name).addEventListener("input", e => { settings[name] = sliders[name].of(Number(e.target.value)); draw(); });
  }
  draw();
}
if (typeof document !== "undefined") start(document);
