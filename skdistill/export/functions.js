// The JavaScript that a Program needs: an exported module gets those definitions that it uses, in this order, without
// comments and spaces. A blank line ends a definition, which is one `const` or `let`. `x` is a cell or a number, `i` its
// column. The numbers of a row are in `z`; `v` holds the inputs of a layer that are not zero, `k` so far, and `at` where
// the weights of each begin.

let k = 0;

let row;

const f8 = (x) => new Float64Array(x);

// a typed array from base64
const raw = (t, T = Float32Array) => new T(Uint8Array.from(atob(t), (x) => x.charCodeAt()).buffer);

// float32 without their lowest bytes, which are zero
const thin = (t) => raw(btoa(atob(t).replace(/[^]{3}/g, "\0$&")));

// the numbers with the given float16 bits
const halves = (bits) =>
  f8(bits).map((b) => {
    const e = (b >> 10) & 31;
    return (b >> 15 ? -1 : 1) * 2 ** ((e || 1) - 25) * ((b & 1023) + (e && 1024));
  });

const scaled = (w, scale) => f8(w).map((x, i) => x * scale[i % scale.length]);

// the weights of the bins of each column, summed up to each bin: then two bins of a column say all
const summed = (w, n, first, starts) => {
  for (let c = 1; c < starts.length; c++)
    for (let i = n * (first + starts[c - 1] + 1); i < n * (first + starts[c]); i++) w[i] += w[i - n];
  return w;
};

const fail = (t) => {
  throw TypeError(`Row ${row}: ${t}.`);
};

// a boolean or a bigint as the number by which levels know it
const plain = (x) => (x === !!x || typeof x == "bigint" ? Number(x) : x);

// the code of a level; unknown and missing ones have the code after the last
const known = (x, m) => m.get(x) ?? m.size;

// the same where a missing level is not as an unknown one; without others, they have the codes after the last
const level = (x, m, o = m.size, n = o + 1) => (x == null || x !== x ? n : m.get(x) ?? o);

const number = (c, i, held = "numbers", x = c[i] ?? NaN) =>
  typeof x == "number" ? x
  : x === !!x || /^\s*[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?\s*$/i.test(x) ? Number(x)
  : fail(`expected ${held} in column "${columns[i]}", got "${x}"`);

const bounded = (x) => (x > 1e30 ? 1e30 : x < -1e30 ? -1e30 : x || 0);

// a date in seconds since 1970; undefined if there is none
const moment = (year, month, day, hour = 0, minute = 0, second = 0) => {
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  const real = year > 0 && date.getUTCMonth() === month - 1 && date.getUTCDate() === +day;
  if (real && hour < 24 && minute < 60 && second < 60) return date / 1000 + hour * 3600 + minute * 60 + 1 * second;
};

const ISO =
  /^(\d{4})(-?)(\d\d)\2(\d\d)(?:[^](\d\d)(?:(:?)(\d\d)(?:\6(\d\d)(?:[.,](\d+))?)?)?(?:Z|([-+])(\d\d):?(\d\d)(?::?(\d\d))?)?)?$/;

const iso = (text) => {
  const [, year, , month, day, hour, , minute, second, rest = "", sign, ...off] = ISO.exec(text) ?? [];
  const whole = year && moment(year, month, day, hour, minute, second);
  if (whole === undefined) return;
  const zone = sign ? off[0] * 3600 + off[1] * 60 + 1 * (off[2] ?? 0) : 0;
  return whole - (sign === "-" ? -zone : zone) + (rest + "000000").slice(0, 6) / 1e6;
};

const ofDate = (cell) => {
  const ms = cell.getTime(), whole = Math.floor(ms / 1000);
  return whole + (ms - 1000 * whole) / 1000;
};

const seconds = (c, i, x = c[i]) =>
  x == null || x !== x ? NaN : (typeof x == "string" ? iso(x) : x.getTime && ofDate(x)) ??
    fail(`expected dates in column "${columns[i]}", got "${x}"`);

// how a column is read some of whose numbers are texts
const numberReader = (before, mark, after, optional) => {
  const between = RegExp(`[' \\xa0\\u2009\\u202f${mark === "." ? "," : "."}]`, "g"), point = `[${mark}]`;
  const whole = `(?:[1-9]\\d{0,2}(?:${between.source}\\d{3})+|\\d+)(?:${point}\\d*)?(?:[eE][+-]\\d{1,3})?`;
  const written = RegExp(`^(?:${whole}|\\d+${point}\\d+[eE]\\d{1,3}|${point}\\d+)$`);
  const prefix = (text) => (text.startsWith(before) ? text.slice(before.length) : text).trim();
  return (cell) => {
    if (typeof cell !== "string") return typeof cell === "object" ? NaN : Number(cell);
    if (cell === "True" || cell === "False") return +(cell === "True");
    let text = cell.trim();
    let negative = /^\(.*\)$/s.test(text);
    if (negative) text = text.slice(1, -1).trim();
    const start = prefix(text);
    const signed = /^[-+\u2212]/.test(start) ? start : /^[-+\u2212]/.test(text) && text;
    if (signed) {
      negative ||= signed[0] !== "+";
      text = signed.slice(1).trim();
    }
    text = prefix(text);
    const ends = text.endsWith(after);
    if (ends) text = text.slice(0, text.length - after.length).trim();
    if (!(ends || optional) || text.length > 64 || !written.test(text)) return NaN;
    const value = Number(text.replace(between, "").replace(",", "."));
    return value === Infinity ? NaN : negative ? -value : value;
  };
};

const MONTHS = "january february march april may june july august september october november december".split(" ");

const DATE =
  /^(?:[A-Za-z]{3,9}, ?)?(\d{1,4}|[A-Za-z]{3,9})[ ,./-]+(\d{1,2}|[A-Za-z]{3,9})[ ,./-]+(\d{1,4})(?:[T ,]+(\d{1,2}):(\d\d)(?::(\d\d)(\.\d{1,6})?)? ?([AaPp]\.?[Mm]\.?)?)?(?: ?(?:GMT|UTC|Z))?$/;

const dateOfText = (text, form) => {
  if (text.length > 64) return NaN;
  text = text.trim();
  const found = /^\d{4}/.test(text) && (text.length === 8 || /\D/.test(text)) ? iso(text) : undefined;
  const f = DATE.exec(text);
  if (found !== undefined || !f) return found ?? NaN;
  const order = /^\d{4}$/.test(f[1]) ? "ymd" : form;
  let [year, month, day] = Array.from("ymd", (part) => f[1 + order.indexOf(part)]);
  if (/\D/.test(month)) month = MONTHS.findIndex((name) => name.startsWith(month.toLowerCase())) + 1;
  let hour = f[4] ?? 0;
  if (f[8]) {
    if (hour < 1 || hour > 12) return NaN;
    hour = (hour % 12) + (/p/i.test(f[8]) ? 12 : 0);
  }
  if (year.length !== 4) {
    if (year.length !== 2 || order === "ymd") return NaN;
    year = ((+year + 31) % 100) + 1969;
  }
  return (moment(year, month, day, hour, f[5], f[6]) ?? NaN) + Math.round((f[7] ?? 0) * 1e6) / 1e6;
};

const dateOf = (cell, form) => (typeof cell === "string" ? dateOfText(cell, form) : cell?.getTime ? ofDate(cell) : NaN);

// which words a text has
const findWords = (cell, words, first) => {
  const lower = typeof cell === "string" ? cell.replace(/[A-Z]+/g, (text) => text.toLowerCase()) : "";
  const found = new Set(lower.match(/[0-9a-z\x80-\uffff]+/g));
  for (let i = 0; i < words.length; i++) z[first + i] = +found.has(words[i]);
};

const dayOf = (s) => Math.floor(Math.floor(s) / 86400);

const monthOf = (s) => new Date(dayOf(s) * 864e5).getUTCMonth() + 1;

const monthDayOf = (s) => new Date(dayOf(s) * 864e5).getUTCDate();

const weekdayOf = (s) => (((dayOf(s) + 3) % 7) + 7) % 7;

const hourOf = (s) => Math.floor((Math.floor(s) - dayOf(s) * 86400) / 3600);

const timeOf = (s) => (s - dayOf(s) * 86400) / 3600;

// as in a leap year
const yearDayOf = (s) => Date.UTC(2000, monthOf(s) - 1, monthDayOf(s)) / 864e5 - 10956;

const waveOf = (s, period, wave) => {
  const angle = (s - period * Math.floor(s / period)) * ((2 * Math.PI) / period);
  return Math.round(1e6 * wave(angle)) / 1e6;
};

const clip = (x, lower, upper) => (x < lower ? lower : x > upper ? upper : x);

// with a mean m and a scale s, beyond a limit l by the logarithm
const squash = (x, m, s, l, f = m, d = Math.abs(x = ((x == x ? x : f) - m) / s) - l) =>
  d < 0 ? x : Math.sign(x) * (l + Math.log1p(Math.min(d, 1e30)));

// on a line from each of n knots to its score
const interpolate = (x, n, knots, i, scores, j) => {
  let a = 0;
  for (let left = n; left > 1; left -= left >> 1) if (knots[i + a + (left >> 1)] <= x) a += left >> 1;
  const knot = knots[i + a], score = scores[j + a];
  if (a + 1 === n || !(x > knot)) return score;
  return score + ((scores[j + a + 1] - score) / (knots[i + a + 1] - knot)) * (x - knot);
};

const quantiles = (start, knots, scores, fill) => {
  for (let i = 0, n = scores.length; i < fill.length; i++) {
    const x = z[start + i];
    z[start + i] = interpolate(x === x ? x : fill[i], n, knots, n * i, scores, 0);
  }
};

const share = (x, lower, width) => Math.max(0, Math.min(1, (x - lower) / width));

const put = (x, i) => {
  v[k] = x;
  at[k++] = i;
};

// a row of the table for each code
const pick = (end, n) => {
  for (let i = 0; i < end; i++) put(1, n * z[i]);
};

const list = (x, i, end, n) => {
  let m = k;
  for (let row = 0; i < end; i++, row += n) {
    if (x[i] !== 0) {
      v[m] = x[i];
      at[m++] = row;
    }
  }
  k = m;
};

// the last bin that x reaches; those before it are full but for the last of them, which it may overlap by rounding
const bins = (x, first, end, lower, width, n, before) => {
  let b = first;
  for (let left = end - b; left > 1; left -= left >> 1) if (x > lower[b + (left >> 1)]) b += left >> 1;
  const last = share(x, lower[b], width[b]), i = n * (before + b);
  put(last, i);
  if (b === first) return;
  const previous = share(x, lower[b - 1], width[b - 1]);
  put(previous - last, i - n);
  if (previous < 1 && b - 1 > first) put(1 - previous, i - 2 * n);
};

const add = (h, w, n) => {
  for (let i = 0; i < k; i++) for (let j = 0; j < n; j++) h[j] += v[i] * w[at[i] + j];
  k = 0;
};

// eight inputs at a time, which takes half the time where there are many outputs
const addMany = (h, w, n) => {
  while (k % 8) put(0, 0);
  for (let i = 0; i < k; ) {
    const p = at[i], a = v[i++], q = at[i], b = v[i++], r = at[i], c = v[i++], s = at[i], d = v[i++];
    const P = at[i], A = v[i++], Q = at[i], B = v[i++], R = at[i], C = v[i++], S = at[i], D = v[i++];
    for (let j = 0; j < n; j++)
      h[j] += a * w[p + j] + b * w[q + j] + c * w[r + j] + d * w[s + j] + A * w[P + j] + B * w[Q + j] + C * w[R + j] + D * w[S + j];
  }
  k = 0;
};

const relu = (h) => {
  for (let j = 0; j < h.length; j++) if (h[j] < 0) h[j] = 0;
};

const tanh = (h) => {
  for (let j = 0; j < h.length; j++) h[j] = Math.tanh(h[j]);
};

const silu = (h) => {
  for (let j = 0; j < h.length; j++) h[j] /= 1 + Math.exp(-h[j]);
};

// nodes stand before those below them, the left ones first; left of node i are sizes[i] nodes, and a leaf more
const tree = (tests, cuts, sizes, ranks, nCodes) => {
  let i = 0, leaf = 0;
  for (let end = cuts.length; i < end; ) {
    const c = tests[i] >> 1, x = c < nCodes ? ranks[z[c]] : Math.fround(z[c]), size = sizes[i];
    if (x === x ? x <= cuts[i] : tests[i] & 1) end = ++i + size;
    else {
      leaf += size + 1;
      i += size + 1;
    }
  }
  return leaf;
};

const softmax = (h) => {
  const top = Math.max(...h);
  const powers = Array.from(h, (x) => Math.exp(x - top));
  const sum = powers.reduce((a, b) => a + b);
  return powers.map((x) => x / sum);
};

const sigmoid = (x) => 1 / (1 + Math.exp(-x));

// a probability for each class against the rest
const oneVsRest = (h, curve) => {
  const found = Array.from(h, curve);
  if (found.length === 1) return [1 - found[0], found[0]];
  const sum = found.reduce((a, b) => a + b);
  return found.map((p) => (sum > 0 ? p / sum : 1 / found.length));
};

const boxCox = (x, power) => Math.exp(Math.log1p(power * x) / power);

const yeoJohnson = (x, power) => {
  const p = x < 0 ? 2 - power : power;
  return Math.sign(x) * Math.expm1(Math.log1p(p * Math.abs(x)) / p);
};

const beyond = (a, b) => a.filter((x) => !b.includes(x));

// the cells of row i, in order; arrays, typed ones too, have a method map
const cellsOf = (r, i, a = columns, n = a.length, q) =>
  r?.map?.call ? r.length == n ? r : fail(`expected ${n} cells, got ${r.length}`)
  : (q = Object.keys(r ?? {})).length == n && a.every((x) => Object.hasOwn(r, x)) ? a.map((x) => r[x])
  : fail(`missing columns [${beyond(a,q)}], unexpected [${beyond(q,a)}]`);

// what a function f of the outputs says of a row or of each of several; a Date is a cell
const each = (f) => (r) => {
  const g = (r, i) => f(run(cellsOf(r, row = i)));
  return Array.isArray(r) && r.slice(0, 1).every((x) => Object(x) === x && !x.getTime?.call) ? r.map(g) : g(r, 0);
};
