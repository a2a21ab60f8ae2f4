"use strict";
// The chain over a row, in the default order: top-k, top-p, min-p, temperature.
// Pure functions: the test runs them beside the Go ones.

// moments sums exp(d/t) and exp(d/t)*d/t over bins, d the distance to the largest
// log-probability: the second order of the Taylor series about the mean of a bin.
function moments(bins, top, t) {
  let weight = 0, slope = 0;
  for (const b of bins) {
    const x = (b.m - top) / t, w = b.n * Math.exp(x), v = b.v / (t * t) / 2;
    weight += w * (1 + v);
    slope += w * (x + v * (2 + x));
  }
  return { weight, slope };
}

// chain says what the settings keep of a row and with which probabilities:
// kept (candidates), mass (of the model's probability), entropy (nats), probs (of
// the listed, 0 for dropped), rest (probability of the others), exact.
function chain(row, s) {
  const lp = row.logprobs, top = lp[0];
  let n = lp.length, rest = row.rest, exact = true;
  if (s.top_k > 0 && s.top_k <= n) {
    n = s.top_k;
    rest = [];
  }
  if (s.top_p > 0 && s.top_p < 1) {
    let total = moments(rest, top, 1).weight;
    for (let i = 0; i < n; i++) total += Math.exp(lp[i] - top);
    let sum = 0, i = 0;
    while (i < n && sum < s.top_p * total) sum += Math.exp(lp[i++] - top);
    if (sum >= s.top_p * total) {
      n = i;
      rest = [];
    } else {
      let j = 0;
      while (j < rest.length && sum < s.top_p * total) sum += moments([rest[j++]], top, 1).weight;
      rest = rest.slice(0, j);
      exact = rest.length === 0;
    }
  }
  if (s.min_p > 0) {
    const cut = top + Math.log(s.min_p);
    while (n > 0 && lp[n - 1] < cut) n--;
    exact = exact && !rest.some(b => b.lo < cut && b.hi >= cut);
    rest = rest.filter(b => b.m >= cut);
  }
  let mass = moments(rest, top, 1).weight, kept = n;
  for (const b of rest) kept += b.n;
  for (let i = 0; i < n; i++) mass += Math.exp(lp[i] - top);
  mass = Math.min(1, mass * Math.exp(top));
  const probs = new Array(lp.length).fill(0);
  if (s.temperature === 0) {
    probs[0] = 1;
    return { kept: 1, mass: Math.exp(top), entropy: 0, probs, rest: 0, exact: true };
  }
  const t = s.temperature, r = moments(rest, top, t);
  let total = r.weight, slope = r.slope;
  for (let i = 0; i < n; i++) {
    const x = (lp[i] - top) / t;
    probs[i] = Math.exp(x);
    total += probs[i];
    slope += probs[i] * x;
  }
  for (let i = 0; i < n; i++) probs[i] /= total;
  // What the series leaves out grows with the width of bins in units of t.
  for (const b of rest) exact = exact && Math.pow((b.hi - b.lo) / t, 4) * r.weight / total < 5e-4;
  return { kept, mass, entropy: Math.max(0, Math.log(total) - slope / total), probs, rest: r.weight / total, exact };
}
