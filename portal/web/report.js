// The report page: fills its sections from the data that it carries.
"use strict";
const report = JSON.parse(document.getElementById("data").textContent);
const byId = id => document.getElementById(id);
const format = Charts.format;
const unit = report.axes.units[0], qName = report.axes.names[0], qLabel = `${qName} (${unit})`;
const timeLabel = name => `${name} (${report.time_unit})`;
const binColour = i => Charts.line(report.bins.length > 1 ? i / (report.bins.length - 1) : 0.4);
const paper = () => getComputedStyle(document.documentElement);

const has = {
  image: report.image !== null, bins: report.bins.length > 0, curve: report.curve.total.length > 0,
  intensity: report.intensity.v.length > 0, twotime: report.maps.length > 0 || report.twotime_g2.length > 0,
  partial: report.bins.some(b => b.partial.length > 1), band: report.band.length > 0,
};
for (const node of document.querySelectorAll("[data-needs]")) if (!has[node.dataset.needs]) node.classList.add("hidden");
for (const node of document.querySelectorAll(".axis-name")) node.textContent = qName;

function element(name, text, className) {
  const node = document.createElement(name);
  if (text !== undefined) node.textContent = text;
  if (className) node.className = className;
  return node;
}

// --- scattering image
async function drawImage() {
  const image = report.image, canvas = byId("image-canvas"), over = byId("image-over");
  const [codes, dynamic, fixed] = await Promise.all([Charts.unpack(image.data), Charts.unpack(image.dynamic), Charts.unpack(image.static)]);
  const { rows, cols } = image, colours = Charts.table(256);
  // Colours from the first to the last per mille of the values: one hot pixel does not darken all.
  const sorted = Float32Array.from(codes.filter(c => c > 1)).sort();
  const first = sorted.length ? sorted[Math.floor(0.005 * sorted.length)] : 1, last = sorted.length ? Math.max(first + 1, sorted[Math.floor(0.999 * (sorted.length - 1))]) : 2;
  const value = code => image.low * Math.pow(image.high / image.low, (code - 1) / (image.codes - 1));
  // Few rows or columns would be drawn as blocks; enough screen pixels for edges and marks.
  const nDynamic = report.bins.length || dynamic.reduce((a, b) => Math.max(a, b), 0);
  canvas.width = cols; canvas.height = rows;
  const paint = () => {
    const context = canvas.getContext("2d"), pixels = context.createImageData(cols, rows), showBins = byId("image-bins").checked;
    for (let i = 0; i < codes.length; ++i) {
      if (codes[i] === 0) continue;
      const t = Math.max(0, Math.min(255, Math.round(255 * (codes[i] - first) / (last - first))));
      let [r, g, b] = colours[t];
      if (showBins && dynamic[i]) {
        const odd = dynamic[i] % 2, tint = odd ? [213, 94, 0] : [230, 230, 230];
        [r, g, b] = [r, g, b].map((c, k) => 0.6 * c + 0.4 * tint[k]);
      }
      pixels.data.set([r, g, b, 255], 4 * i);
    }
    context.putImageData(pixels, 0, 0);
  };
  const paintOver = () => {
    const width = Math.max(600, over.clientWidth * (window.devicePixelRatio || 1)), k = width / cols;
    over.width = width; over.height = Math.round(rows * k);
    const context = over.getContext("2d");
    if (byId("image-edges").checked || byId("image-bins").checked) {
      context.fillStyle = "rgba(255,255,255,.75)";
      for (let y = 0; y < rows; ++y) for (let x = 0; x < cols; ++x) {
        const i = y * cols + x;
        if (x + 1 < cols && dynamic[i] !== dynamic[i + 1]) context.fillRect((x + 1) * k - 0.5, y * k, 1, k);
        if (y + 1 < rows && dynamic[i] !== dynamic[i + cols]) context.fillRect(x * k, (y + 1) * k - 0.5, k, 1);
      }
    }
    if (byId("image-hot").checked) {
      context.strokeStyle = "#ff3b30"; context.lineWidth = 2;
      for (const [x, y] of image.hot) { context.beginPath(); context.arc((x / image.factor + 0.5) * k, (y / image.factor + 0.5) * k, 7, 0, 7); context.stroke(); }
    }
    const [bx, by] = image.beam;
    if (bx > 0 && by > 0 && bx < cols * image.factor && by < rows * image.factor) {
      context.strokeStyle = "#fff"; context.lineWidth = 1.5;
      const cx = (bx + 0.5) / image.factor * k, cy = (by + 0.5) / image.factor * k;
      context.beginPath(); context.moveTo(cx - 8, cy); context.lineTo(cx + 8, cy); context.moveTo(cx, cy - 8); context.lineTo(cx, cy + 8); context.stroke();
    }
  };
  let at = [cols >> 1, rows >> 1];
  const tell = (x, y) => {
    if (x < 0 || y < 0 || x >= cols || y >= rows) return;
    at = [x, y];
    const i = y * cols + x, parts = [`row ${y * image.factor}, column ${x * image.factor}`];
    parts.push(codes[i] === 0 ? "masked" : codes[i] === 1 && value(1) > 0 ? `≤ ${format(value(1), 3)} counts/frame` : `${format(value(codes[i]), 3)} counts/frame`);
    const q = fixed[i] > 0 ? image.static_q[fixed[i] - 1] : null;
    if (q !== null && q !== undefined) parts.push(`${qName} = ${format(q)} ${unit}`);
    if (dynamic[i] > 0) parts.push(`dynamic bin ${dynamic[i]}, static bin ${fixed[i]}`);
    byId("image-readout").textContent = parts.join(" · ");
  };
  canvas.addEventListener("mousemove", event => tell(Math.floor(event.offsetX / canvas.clientWidth * cols), Math.floor(event.offsetY / canvas.clientHeight * rows)));
  canvas.addEventListener("keydown", event => {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (step) { event.preventDefault(); tell(at[0] + step[0] * (event.shiftKey ? 20 : 1), at[1] + step[1] * (event.shiftKey ? 20 : 1)); }
  });
  for (const id of ["image-bins", "image-edges", "image-hot"]) byId(id).addEventListener("change", () => { paint(); paintOver(); });
  byId("masked-swatch").style.background = "var(--masked)";
  const bar = () => Charts.colourBar(byId("image-bar"), value(first), value(last), true, "counts per frame");
  paint(); paintOver();
  new ResizeObserver(() => { paintOver(); bar(); }).observe(byId("image-canvas"));
}

// --- I(q), intensity
function drawCurves() {
  const { q, total, segments } = report.curve, positive = q.every(v => v > 0);
  // Angular bins give several values per q: one line per run of ascending q.
  const points = values => values.map((v, i) => [q[i], v]);
  const sorted = values => points(values).sort((a, b) => a[0] - b[0]);
  const list = segments.map((values, i) => ({ name: `segment ${i + 1}`, color: Charts.line(segments.length > 1 ? i / (segments.length - 1) : 0.3), points: sorted(values), line: !report.angular, marks: report.angular ? 2 : 0, width: 1.4, faint: true }));
  list.push({ name: "whole run", color: "var(--ink)", points: sorted(total), line: !report.angular, marks: report.angular ? 2.6 : 0, width: 1.6 });
  Charts.chart(byId("curve-chart"), { height: 420, x: { label: qLabel, log: positive }, y: { label: "counts / frame / pixel", log: true } }).draw(list);
}
function drawIntensity() {
  const { t, v, outliers, frames, stretch } = report.intensity;
  const list = [{ name: "intensity", color: "var(--accent)", points: t.map((x, i) => [x, v[i]]), line: true, width: 1 }];
  if (outliers.length) list.push({ name: "outlier", color: "var(--fit)", points: outliers, marks: 5, hollow: true });
  Charts.chart(byId("intensity-chart"), { height: 240, x: { label: timeLabel("time") }, y: { label: "counts / frame / pixel" } }).draw(list);
  byId("intensity-note").textContent = `${frames} frames${stretch > 1 ? `; smallest and largest of every ${stretch} drawn` : ""}${outliers.length ? `; ${outliers.length} outliers marked` : ""}.`;
}

// --- g2
function model(fit, t) { return fit.values[0] * Math.exp(-2 * Math.pow(t / fit.values[1], fit.values[2])) + fit.values[3]; }
function fitPoints(bin, change) {
  const good = report.delay.filter(t => t > 0);
  if (!bin.fit || !bin.fit.ok || !good.length) return [];
  const low = good[0], high = good[good.length - 1];
  return d3.range(161).map(k => low * Math.pow(high / low, k / 160)).map(t => [t, change(model(bin.fit, t))]);
}
function drawG2() {
  const bins = report.bins, shown = new Set(), fitted = d3.range(bins.length).filter(i => bins[i].fit && bins[i].fit.ok);
  // Fitted bins first: what cannot be fitted mostly only stretches the axis.
  const from = fitted.length > 1 ? fitted : d3.range(bins.length), few = Math.min(6, from.length);
  const chooseFew = () => { shown.clear(); for (let k = 0; k < few; ++k) shown.add(from[Math.round(few > 1 ? k * (from.length - 1) / (few - 1) : 0)]); };
  chooseFew();
  const chart = Charts.chart(byId("g2-chart"), { height: 470, x: { label: timeLabel("delay"), log: true }, y: { label: "g2", log: false } });
  const picker = byId("g2-picker");
  const buttons = bins.map((bin, i) => {
    const button = element("button", `${bin.label}: ${bin.q === null ? "bin" : format(bin.q)}`);
    button.type = "button"; button.title = bin.text; button.style.setProperty("--bin", binColour(i));
    button.addEventListener("click", () => { shown.has(i) ? shown.delete(i) : shown.add(i); draw(true); });
    return picker.appendChild(button);
  });
  const draw = keep => {
    const log = byId("g2-log").checked, offset = byId("g2-offset").value / 100, list = [];
    buttons.forEach((b, i) => b.setAttribute("aria-pressed", shown.has(i)));
    [...shown].sort((a, b) => a - b).forEach((i, k) => {
      const bin = bins[i], base = bin.fit && bin.fit.ok ? bin.fit.values[3] : 1, contrast = bin.fit && bin.fit.ok ? bin.fit.values[0] : 0.1;
      const change = v => v === null ? null : log ? (v - base) : v + k * offset * (contrast + 0.02);
      list.push({ name: bin.text, color: binColour(i), marks: 3.4, errors: byId("g2-errors").checked, points: report.delay.map((t, j) => [t, change(bin.g2[j]), bin.err.length ? bin.err[j] : 0, bin.g2[j]]) });
      if (byId("g2-fits").checked) list.push({ name: "fit of " + bin.text, color: binColour(i), line: true, width: 2, silent: true, ignore: log, points: fitPoints(bin, change) });
    });
    chart.draw(list, keep);
  };
  byId("g2-few").onclick = () => { chooseFew(); draw(); };
  byId("g2-all").onclick = () => { bins.forEach((_, i) => shown.add(i)); draw(); };
  byId("g2-none").onclick = () => { shown.clear(); draw(); };
  byId("g2-errors").onchange = byId("g2-fits").onchange = () => draw(true);
  byId("g2-offset").oninput = () => draw();
  byId("g2-log").onchange = () => { chart.set("y", { log: byId("g2-log").checked, label: byId("g2-log").checked ? "g2 − baseline" : "g2" }); draw(); };
  draw();
}

// --- fits
function drawParameters() {
  const fitted = report.bins.filter(b => b.fit && b.fit.ok && b.q > 0), x = { label: qLabel, log: fitted.length > 0 };
  const list = [{ name: "τ", color: "var(--accent)", marks: 4, points: fitted.map(b => [b.q, b.fit.values[1], b.fit.errors[1]]) }];
  if (report.law && fitted.length) {
    const [a, b] = report.law.values, low = d3.min(fitted, f => f.q), high = d3.max(fitted, f => f.q);
    list.push({ name: "power law", color: "var(--fit)", line: true, width: 2, points: d3.range(51).map(k => low * Math.pow(high / low, k / 50)).map(q => [q, a * Math.pow(q, b)]) });
    const error = report.law.errors[1], away = Math.abs(b + 2) / error;
    const sign = b < 0 ? "−" : "";
    byId("law").textContent = `τ = ${format(a, 3)} ${report.time_unit} · ${qName} to the power ${sign}${Math.abs(b).toFixed(2)} ± ${error.toFixed(2)}; `
      + (away < 2 ? "agrees with diffusion (−2)." : `${away.toFixed(0)} standard errors from diffusion (−2).`);
  } else byId("law").textContent = "No power law: too few fitted bins.";
  Charts.chart(byId("tau-chart"), { height: 320, x: { ...x }, y: { label: timeLabel("relaxation time τ"), log: true } }).draw(list);
  Charts.chart(byId("contrast-chart"), { height: 320, x: { ...x }, y: { label: "contrast, baseline − 1" } }).draw([
    { name: "contrast", color: "var(--accent)", marks: 4, points: fitted.map(b => [b.q, b.fit.values[0], b.fit.errors[0]]) },
    { name: "baseline − 1", color: "var(--fit)", marks: 4, points: fitted.map(b => [b.q, b.fit.values[3] - 1, b.fit.errors[3]]) }]);
  const table = byId("fit-table"), head = table.createTHead().insertRow();
  const maybe = cell => report.angular_bins ? [cell] : [];
  for (const name of ["bin", qLabel, ...maybe(`${report.axes.names[1]} (${report.axes.units[1]})`), "contrast a", timeLabel("τ"), "± τ", "exponent c", "baseline d", "χ²/n", "status"]) head.appendChild(element("th", name, name === "status" ? "text" : ""));
  const body = table.createTBody();
  for (const bin of report.bins) {
    const row = body.insertRow(), fit = bin.fit, ok = fit && fit.ok;
    if (!ok) row.className = "bad";
    const cells = [bin.label, format(bin.q, 5), ...maybe(format(bin.phi, 4)), ...(ok ? [format(fit.values[0]), format(fit.values[1]), format(fit.errors[1], 2), format(fit.values[2], 3), format(fit.values[3], 6), format(fit.chi2, 3)] : ["–", "–", "–", "–", "–", "–"])];
    for (const cell of cells) row.insertCell().textContent = cell;
    const status = row.insertCell(); status.className = "text"; status.textContent = ok ? "fitted" : "not fitted: " + (fit ? fit.reason : "");
  }
}

function drawPartial() {
  const select = byId("partial-bin");
  report.bins.forEach((bin, i) => select.add(new Option(`${bin.label}: ${bin.text}`, i)));
  const chart = Charts.chart(byId("partial-chart"), { height: 380, x: { label: timeLabel("delay"), log: true }, y: { label: "g2" } });
  select.onchange = () => {
    const bin = report.bins[select.value], n = bin.partial.length;
    chart.draw(bin.partial.map((values, k) => ({ name: `slice ${k + 1} of ${n}`, color: Charts.line(k / Math.max(1, n - 1)), line: true, marks: 2.6, points: report.delay.map((t, j) => [t, values[j]]) }))
      .concat([{ name: "whole run", color: "var(--ink)", line: true, dashed: true, points: report.delay.map((t, j) => [t, bin.g2[j]]) }]));
  };
  select.onchange();
}

// --- two-time
// The first row below; colours from the first to the last per cent. Returns their limits.
function paintValues(canvas, values, columns, rows) {
  const sorted = values.filter(v => !isNaN(v)).sort(), low = sorted[Math.floor(0.01 * sorted.length)] || 0, high = Math.max(low + 1e-9, sorted[Math.floor(0.99 * (sorted.length - 1))] || 1);
  const colours = Charts.table(256), context = canvas.getContext("2d");
  canvas.width = columns; canvas.height = rows;
  const pixels = context.createImageData(columns, rows);
  for (let y = 0; y < rows; ++y) for (let x = 0; x < columns; ++x) {
    const v = values[y * columns + x];
    if (!isNaN(v)) pixels.data.set([...colours[Math.max(0, Math.min(255, Math.round(255 * (v - low) / (high - low))))], 255], 4 * ((rows - 1 - y) * columns + x));
  }
  context.putImageData(pixels, 0, 0);
  return [low, high];
}
async function drawTwoTime() {
  const select = byId("map-bin"), canvas = byId("map-canvas"), over = byId("map-over");
  const cut = Charts.chart(byId("cut-chart"), { height: 260, x: { label: timeLabel("t₁") }, y: { label: "C(t₁, t₂)" } });
  const age = Charts.chart(byId("age-chart"), { height: 280, x: { label: timeLabel("delay"), log: true }, y: { label: "g2" } });
  const curve = label => report.twotime_g2.find(c => c.label === label);
  if (!report.maps.length) { // the maps were removed, the means of their diagonals stay
    byId("map-part").classList.add("hidden"); byId("cut-chart").classList.add("hidden");
    byId("map-cuts").querySelector("h3").classList.add("hidden"); byId("map-cuts").className = "whole";
    report.twotime_g2.forEach((c, i) => select.add(new Option(`${c.label}: ${c.text}`, i)));
    select.onchange = () => { const c = report.twotime_g2[select.value]; age.draw([{ name: "mean over the run", color: "var(--ink)", line: true, marks: 2.5, points: c.t.map((t, i) => [t, c.g2[i]]) }]); };
    return select.onchange();
  }
  let map = null, values = null, held = false, at = [0, 0];
  report.maps.forEach((m, i) => select.add(new Option(`${m.label}: ${m.text}`, i)));
  const cursor = (x, y) => {
    const n = map.n;
    at = [Math.max(0, Math.min(n - 1, x)), Math.max(0, Math.min(n - 1, y))];
    const [i, j] = at, time = k => (k + 0.5) * map.step;
    over.width = Math.max(600, canvas.clientWidth * (window.devicePixelRatio || 1)); over.height = over.width;
    const context = over.getContext("2d"), k = over.width / n, cx = (i + 0.5) * k, cy = over.height - (j + 0.5) * k;
    for (const [colour, width] of [["rgba(0,0,0,.6)", 3], ["#fff", 1.2]]) {
      context.strokeStyle = colour; context.lineWidth = width;
      context.beginPath(); context.moveTo(cx, 0); context.lineTo(cx, over.height); context.moveTo(0, cy); context.lineTo(over.width, cy); context.stroke();
      context.setLineDash([8, 6]); context.beginPath(); // constant age: t1 + t2 stays
      const sum = i + j;
      for (const d of [-n, n]) { const a = sum / 2 + d / 2, b = sum / 2 - d / 2; const px = (a + 0.5) * k, py = over.height - (b + 0.5) * k; d < 0 ? context.moveTo(px, py) : context.lineTo(px, py); }
      context.stroke(); context.setLineDash([]);
    }
    const value = values[j * n + i];
    byId("map-readout").textContent = `t₁ = ${format(time(i))}, t₂ = ${format(time(j))} ${report.time_unit} · delay ${format(Math.abs(i - j) * map.step)} · age ${format((time(i) + time(j)) / 2)} · C = ${isNaN(value) ? "no value" : format(value)}`;
    cut.draw([{ name: "C", color: "var(--accent)", line: true, width: 1.3, points: d3.range(n).map(x2 => [time(x2), isNaN(values[j * n + x2]) ? null : values[j * n + x2]]) }], true);
    const mean = curve(map.label), along = [];
    const centre = Math.round((i + j) / 2);
    for (let d = 1; centre - d >= 0 && centre + d < n; ++d) { // pairs around the same age; one pixel of age either side
      const v = values[(centre + d) * n + centre - d], w = values[(centre + d) * n + centre - d + 1];
      if (!isNaN(w)) along.push([(2 * d - 1) * map.step, w]);
      if (!isNaN(v)) along.push([2 * d * map.step, v]);
    }
    const list = [{ name: "at this age", color: "var(--accent)", line: true, marks: 2, width: 1, points: along }];
    if (mean) list.push({ name: "mean over the run", color: "var(--fit)", line: true, width: 2.4, points: mean.t.map((t, m) => [t, mean.g2[m]]) });
    age.draw(list, true);
  };
  const axes = () => map && Charts.frame(byId("map-pane"), { domain: [0, map.n * map.step], label: timeLabel("t₁") }, { domain: [0, map.n * map.step], label: timeLabel("t₂") });
  const show = async () => {
    map = report.maps[select.value];
    const codes = await Charts.unpack(map.data), n = map.n;
    values = Float32Array.from(codes, c => c === 0 ? NaN : map.low + (map.high - map.low) * (c - 1) / (map.codes - 1));
    const [low, high] = paintValues(canvas, values, n, n);
    Charts.colourBar(byId("map-bar"), low, high, false, "C(t₁, t₂)");
    axes();
    cursor(n >> 1, n >> 1);
  };
  canvas.addEventListener("mousemove", e => { if (!held) cursor(Math.floor(e.offsetX / canvas.clientWidth * map.n), map.n - 1 - Math.floor(e.offsetY / canvas.clientHeight * map.n)); });
  canvas.addEventListener("click", () => { held = !held; });
  canvas.addEventListener("keydown", e => {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[e.key], by = e.shiftKey ? 20 : 1;
    if (step) { e.preventDefault(); cursor(at[0] + by * step[0], at[1] + by * step[1]); }
  });
  select.onchange = show;
  await show();
  new ResizeObserver(() => { cursor(...at); byId("map-bar").firstChild && show(); }).observe(byId("map-part"));
}

// --- two-time whose resolution falls with the lag: rows are lags, columns are ages
async function drawBand() {
  const select = byId("band-bin"), canvas = byId("band-canvas"), over = byId("band-over");
  const byLag = Charts.chart(byId("band-lag-chart"), { height: 280, x: { label: timeLabel("delay"), log: true }, y: { label: "g2" } });
  const byAge = Charts.chart(byId("band-age-chart"), { height: 240, x: { label: timeLabel("age") }, y: { label: "C" } });
  let map = null, values = null, held = false, at = [0, 0];
  report.band.forEach((m, i) => select.add(new Option(`${m.label}: ${m.text}`, i)));
  const cursor = (x, row) => {
    const n = map.columns, rows = map.lag.length;
    at = [Math.max(0, Math.min(n - 1, x)), Math.max(0, Math.min(rows - 1, row))];
    const [i, j] = at, age = k => (k + 0.5) * map.step, value = (k, r) => isNaN(values[r * n + k]) ? null : values[r * n + k];
    over.width = Math.max(600, canvas.clientWidth * (window.devicePixelRatio || 1)); over.height = Math.round(over.width * canvas.clientHeight / Math.max(1, canvas.clientWidth));
    const context = over.getContext("2d"), cx = (i + 0.5) * over.width / n, cy = over.height - (j + 0.5) * over.height / rows;
    for (const [colour, width] of [["rgba(0,0,0,.6)", 3], ["#fff", 1.2]]) {
      context.strokeStyle = colour; context.lineWidth = width;
      context.beginPath(); context.moveTo(cx, 0); context.lineTo(cx, over.height); context.moveTo(0, cy); context.lineTo(over.width, cy); context.stroke();
    }
    byId("band-readout").textContent = `age ${format(age(i))}, delay ${format(map.lag[j])} ${report.time_unit} · C = ${value(i, j) === null ? "no value" : format(value(i, j))}`;
    byLag.draw([{ name: "at this age", color: "var(--accent)", line: true, marks: 2.4, width: 1, points: map.lag.map((t, r) => [t, value(i, r)]) },
      { name: "mean over the run", color: "var(--fit)", line: true, width: 2.2, errors: true, points: map.lag.map((t, r) => [t, map.g2[r], map.err[r]]) }], true);
    byAge.draw([{ name: "C", color: "var(--accent)", line: true, width: 1.3, points: d3.range(n).map(k => [age(k), value(k, j)]) }], true);
  };
  // Every few rows of the lag axis a label: rows are lags, in order, not to scale.
  const axes = () => {
    if (!map) return;
    const rows = map.lag.length, every = Math.max(1, Math.ceil(rows / 9));
    const ticks = d3.range(0, rows, every).map(r => [r + 0.5, format(map.lag[r], 2)]);
    Charts.frame(byId("band-pane"), { domain: [0, map.columns * map.step], label: timeLabel("age") }, { domain: [0, rows], label: timeLabel("delay"), ticks });
  };
  const show = async () => {
    map = report.band[select.value];
    const codes = await Charts.unpack(map.data), n = map.columns, rows = map.lag.length;
    values = Float32Array.from(codes, c => c === 0 ? NaN : map.low + (map.high - map.low) * (c - 1) / (map.codes - 1));
    const [low, high] = paintValues(canvas, values, n, rows);
    Charts.colourBar(byId("band-bar"), low, high, false, "C");
    axes();
    cursor(n >> 1, rows >> 1);
  };
  const place = e => [Math.floor(e.offsetX / canvas.clientWidth * map.columns), map.lag.length - 1 - Math.floor(e.offsetY / canvas.clientHeight * map.lag.length)];
  canvas.addEventListener("mousemove", e => { if (!held) cursor(...place(e)); });
  canvas.addEventListener("click", e => { held = !held; cursor(...place(e)); });
  canvas.addEventListener("keydown", e => {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[e.key], by = e.shiftKey ? 10 : 1;
    if (step) { e.preventDefault(); cursor(at[0] + by * step[0], at[1] + by * step[1]); }
  });
  select.onchange = show;
  await show();
  new ResizeObserver(() => { axes(); cursor(...at); }).observe(byId("band-part"));
}

// --- provenance
function rowsTable(rows) {
  const table = element("table");
  for (const [name, text, units] of rows) {
    const row = table.insertRow();
    row.appendChild(element("td", name, "text"));
    row.appendChild(element("td", units ? `${text} ${units}` : text, "text"));
  }
  return table;
}
function drawProvenance() {
  for (const node of document.querySelectorAll("[data-rows]")) {
    const rows = report[node.dataset.rows].filter(r => !r[0].startsWith("counts/"));
    if (!rows.length) { node.classList.add("hidden"); continue; }
    node.querySelector("summary").textContent += ` (${rows.length})`;
    node.appendChild(rowsTable(rows));
  }
  const counts = report.provenance.filter(r => r[0].startsWith("counts/")).map(([name, ...rest]) => [name.slice(7).replace(/_/g, " "), ...rest]);
  if (!counts.length) return;
  const kept = counts.filter(r => !/^(0|false)$/.test(r[1]));
  byId("dropped").append(element("h3", "What was kept and what was dropped"), rowsTable(kept), element("p", `Zero: ${counts.filter(r => /^(0|false)$/.test(r[1])).map(r => r[0]).join(", ")}.`, "readout"));
}

const sections = [[has.image, drawImage], [has.curve, drawCurves], [has.intensity, drawIntensity], [has.bins, drawG2], [has.bins, drawParameters], [has.partial, drawPartial], [has.twotime, drawTwoTime], [has.band, drawBand], [true, drawProvenance]];
// One section that fails must not take the others along.
Promise.all(sections.filter(s => s[0]).map(async ([, draw]) => { try { await draw(); } catch (error) { console.error(error); document.body.dataset.failed = String(error && error.stack || error); } })).then(() => { document.body.dataset.ready = "true"; });
// Colours of lines follow the scheme.
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => location.reload());
