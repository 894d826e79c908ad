// Charts on top of D3: axes (linear, logarithmic), lines, marks with errors, zoom by dragging,
// nearest point under the pointer, keys. Colours come from the style sheet.
"use strict";
const Charts = (() => {
  // viridis, even in lightness: readable with every colour vision.
  const anchors = ["#440154", "#482878", "#3e4989", "#31688e", "#26828e", "#1f9e89", "#35b779", "#6ece58", "#b5de2b", "#fde725"];
  const viridis = d3.scale.linear().domain(anchors.map((_, i) => i / (anchors.length - 1))).range(anchors).interpolate(d3.interpolateRgb).clamp(true);
  // For lines: the part of it that stands out of the page, light or dark.
  const dark = () => matchMedia("(prefers-color-scheme: dark)").matches && !matchMedia("print").matches;
  const line = t => viridis(dark() ? 0.32 + 0.68 * t : 0.84 * t);
  const table = n => d3.range(n).map(i => { const c = d3.rgb(viridis(i / (n - 1))); return [c.r, c.g, c.b]; });
  const superscript = { "-": "⁻", 0: "⁰", 1: "¹", 2: "²", 3: "³", 4: "⁴", 5: "⁵", 6: "⁶", 7: "⁷", 8: "⁸", 9: "⁹" };
  const power = e => "10" + String(e).split("").map(c => superscript[c]).join("");

  function format(value, digits = 4) {
    if (value === null || value === undefined || !isFinite(value)) return "–";
    const size = Math.abs(value);
    if (size !== 0 && (size < 1e-3 || size >= 1e5)) {
      const [mantissa, exponent] = value.toExponential(digits - 1).split("e");
      return `${parseFloat(mantissa)}·${power(parseInt(exponent, 10))}`;
    }
    return String(parseFloat(value.toPrecision(digits)));
  }

  // Ticks of a logarithmic axis: powers of ten, or 1 2 5 where there are few of these.
  function logTicks(domain) {
    const [low, high] = domain, decades = Math.log10(high / low), ticks = [];
    const first = Math.floor(Math.log10(low)), last = Math.ceil(Math.log10(high));
    const every = Math.max(1, Math.ceil((last - first) / 9));
    for (let e = first; e <= last; ++e)
      for (const m of decades > 3 ? [1] : decades > 0.7 ? [1, 2, 5] : [1, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 9]) {
        const value = m * Math.pow(10, e);
        if (value >= low * 0.999 && value <= high * 1.001 && (decades <= 3 || (e - first) % every === 0)) ticks.push(value);
      }
    return ticks.length > 2 ? ticks : d3.scale.linear().domain([low, high]).ticks(5);
  }
  function logText(value) {
    const exponent = Math.log10(value);
    return Math.abs(exponent - Math.round(exponent)) < 1e-6 && (value < 1e-2 || value > 1e3) ? power(Math.round(exponent)) : format(value, 3);
  }

  // A chart in `element`. options: {x, y: {label, log}, height, marks: radius}. draw(series) with
  // series = [{name, color, points: [[x, y, error]], line, marks, dashed, width, faint}].
  function chart(element, options) {
    const margin = { top: 20, right: 14, bottom: 46, left: 80 };
    const root = d3.select(element), height = options.height || 330;
    root.selectAll("*").remove();
    const svg = root.append("svg").attr("tabindex", 0).attr("role", "img").attr("aria-label", options.title || options.y.label);
    const tip = root.append("div").attr("class", "tip").attr("hidden", true);
    const clipId = "clip-" + Math.random().toString(36).slice(2);
    const clip = svg.append("clipPath").attr("id", clipId).append("rect");
    const frame = svg.append("g");
    const gridX = frame.append("g").attr("class", "grid-lines"), gridY = frame.append("g").attr("class", "grid-lines");
    const brushLayer = frame.append("g").attr("class", "brush");
    const plot = frame.append("g").attr("clip-path", `url(#${clipId})`).style("pointer-events", "none");
    const axisX = frame.append("g").attr("class", "axis"), axisY = frame.append("g").attr("class", "axis");
    const labelX = svg.append("text").attr("class", "label").attr("text-anchor", "middle");
    const labelY = svg.append("text").attr("class", "label").attr("text-anchor", "middle");
    const hint = svg.append("text").attr("class", "hint").attr("text-anchor", "end").text("drag: zoom · double click: all");
    let series = [], view = null, sx, sy, inner;

    const usable = (v, log) => v !== null && v !== undefined && isFinite(v) && (!log || v > 0);
    const good = p => usable(p[0], options.x.log) && usable(p[1], options.y.log);
    function extent(index, log) {
      let low = Infinity, high = -Infinity;
      for (const s of series) if (!s.ignore) for (const p of s.points) if (good(p)) { low = Math.min(low, p[index]); high = Math.max(high, p[index]); }
      if (!isFinite(low)) return log ? [1, 10] : [0, 1];
      if (log) { const pad = Math.max(Math.pow(high / low, 0.04), 1.02); return [low / pad, high * pad]; }
      const pad = (high - low) * 0.05 || Math.abs(low) * 0.05 || 1;
      return [low - pad, high + pad];
    }
    function resize() {
      const width = Math.max(240, element.clientWidth);
      inner = { width: width - margin.left - margin.right, height: height - margin.top - margin.bottom };
      svg.attr("viewBox", `0 0 ${width} ${height}`).attr("height", height);
      frame.attr("transform", `translate(${margin.left},${margin.top})`);
      clip.attr("width", inner.width).attr("height", inner.height);
      labelX.attr("x", margin.left + inner.width / 2).attr("y", height - 8).text(options.x.label);
      labelY.attr("transform", `translate(14,${margin.top + inner.height / 2}) rotate(-90)`).text(options.y.label);
      hint.attr("x", width - margin.right).attr("y", 12);
      render();
    }
    function scales() {
      const domainX = view ? view.x : options.x.domain || extent(0, options.x.log), domainY = view ? view.y : options.y.domain || extent(1, options.y.log);
      sx = (options.x.log ? d3.scale.log() : d3.scale.linear()).domain(domainX).range([0, inner.width]);
      sy = (options.y.log ? d3.scale.log() : d3.scale.linear()).domain(domainY).range([inner.height, 0]);
    }
    function axis(scale, orient, log, count) {
      const made = d3.svg.axis().scale(scale).orient(orient).outerTickSize(0);
      return log ? made.tickValues(logTicks(scale.domain())).tickFormat(logText) : made.ticks(count).tickFormat(v => format(v, 6));
    }
    function render() {
      if (!inner) return;
      scales();
      tip.attr("hidden", true);
      const ax = axis(sx, "bottom", options.x.log, Math.max(3, inner.width / 110)), ay = axis(sy, "left", options.y.log, 6);
      axisX.attr("transform", `translate(0,${inner.height})`).call(ax);
      axisY.call(ay);
      gridX.attr("transform", `translate(0,${inner.height})`).call(axis(sx, "bottom", options.x.log, inner.width / 110).tickSize(-inner.height, 0).tickFormat(""));
      gridY.call(axis(sy, "left", options.y.log, 6).tickSize(-inner.width, 0).tickFormat(""));
      plot.selectAll("*").remove();
      for (const s of series) drawSeries(s);
      const brush = d3.svg.brush().x(sx).y(sy).on("brushend", () => {
        const e = brush.extent(), empty = brush.empty();
        brushLayer.call(brush.clear());
        if (empty) return;
        const px = Math.abs(sx(e[1][0]) - sx(e[0][0])), py = Math.abs(sy(e[1][1]) - sy(e[0][1]));
        if (px < 5 || py < 5) return;
        view = { x: [e[0][0], e[1][0]], y: [e[0][1], e[1][1]] };
        render();
      });
      brushLayer.call(brush);
    }
    function drawSeries(s) {
      const points = s.points.filter(good), colour = s.color || "var(--accent)";
      const line = d3.svg.line().x(p => sx(p[0])).y(p => sy(p[1])).defined(good);
      if (s.line) plot.append("path").attr("d", line(s.points)).style({ fill: "none", stroke: colour, "stroke-width": s.width || 1.6, "stroke-dasharray": s.dashed ? "6 4" : null, opacity: s.faint ? 0.55 : 1, "stroke-linejoin": "round" });
      if (s.errors !== false && points.some(p => p[2] > 0)) {
        const floor = options.y.log ? sy.domain()[0] * 1e-3 : -Infinity;
        plot.append("path").attr("d", points.filter(p => p[2] > 0).map(p => `M${sx(p[0])},${sy(Math.max(p[1] - p[2], floor))}V${sy(p[1] + p[2])}`).join("")).style({ stroke: colour, "stroke-width": 1, opacity: 0.75 });
      }
      if (s.marks) plot.append("g").selectAll("circle").data(points).enter().append("circle").attr({ r: s.marks, cx: p => sx(p[0]), cy: p => sy(p[1]) }).style({ fill: s.hollow ? "none" : colour, stroke: s.hollow ? colour : "var(--card)", "stroke-width": s.hollow ? 1.8 : 0.5 });
    }
    function nearest(x, y) {
      let best = null, distance = 28 * 28;
      for (const s of series) if (!s.silent) for (const p of s.points) if (good(p)) {
        const px = sx(p[0]), py = sy(p[1]), dx = px - x, dy = py - y, d = dx * dx + dy * dy;
        if (d < distance && px >= 0 && px <= inner.width && py >= 0 && py <= inner.height) { distance = d; best = { s, p }; }
      }
      return best;
    }
    svg.on("mousemove", () => {
      const [x, y] = d3.mouse(frame.node()), hit = sx && nearest(x, y);
      tip.attr("hidden", hit ? null : true);
      if (!hit) return;
      const value = hit.p[3] !== undefined ? hit.p[3] : hit.p[1];
      tip.text(`${hit.s.name ? hit.s.name + " · " : ""}${format(hit.p[0])}, ${format(value, 5)}${hit.p[2] > 0 ? " ± " + format(hit.p[2], 2) : ""}`);
      const at = sx(hit.p[0]) + margin.left, right = at > element.clientWidth / 2;
      tip.style({ left: right ? "auto" : at + 12 + "px", right: right ? element.clientWidth - at + 12 + "px" : "auto", top: sy(hit.p[1]) + margin.top - 30 + "px" });
    }).on("mouseleave", () => tip.attr("hidden", true)).on("dblclick", () => { view = null; render(); });
    svg.on("keydown", () => {
      const key = d3.event.key, zoom = { "+": 0.7, "=": 0.7, "-": 1 / 0.7 }[key], pan = { ArrowLeft: [-0.15, 0], ArrowRight: [0.15, 0], ArrowUp: [0, 0.15], ArrowDown: [0, -0.15] }[key];
      if (!zoom && !pan && key !== "0") return;
      d3.event.preventDefault();
      if (key === "0") view = null;
      else {
        const change = (scale, shift, horizontal) => {
          const size = horizontal ? inner.width : inner.height, half = size / 2 * (zoom || 1), centre = size / 2 + shift * size * (horizontal ? 1 : -1);
          return horizontal ? [scale.invert(centre - half), scale.invert(centre + half)] : [scale.invert(centre + half), scale.invert(centre - half)];
        };
        view = { x: change(sx, pan ? pan[0] : 0, true), y: change(sy, pan ? pan[1] : 0, false) };
      }
      render();
    });
    new ResizeObserver(resize).observe(element);
    window.addEventListener("beforeprint", resize);
    return {
      draw(next, keepView) { series = next; if (!keepView) view = null; if (inner) render(); else resize(); },
      set(axisName, values) { Object.assign(options[axisName], values); view = null; resize(); },
    };
  }

  // Axes around a canvas in a .pane.framed. x, y: {domain, label, ticks}; ticks: pairs of place and
  // text where the scale is not even.
  function frame(pane, x, y) {
    const margin = { top: 4, right: 8, bottom: 42, left: 66 };
    const width = Math.max(60, pane.clientWidth - margin.left - margin.right), height = Math.max(60, pane.clientHeight - margin.top - margin.bottom);
    d3.select(pane).selectAll("svg").remove();
    const svg = d3.select(pane).append("svg").attr("class", "axes").attr({ width: pane.clientWidth, height: pane.clientHeight });
    const draw = (axis, orient, range, place, count) => {
      const made = d3.svg.axis().scale(d3.scale.linear().domain(axis.domain).range(range)).orient(orient).outerTickSize(0);
      axis.ticks ? made.tickValues(axis.ticks.map(t => t[0])).tickFormat(v => axis.ticks.find(t => t[0] === v)[1]) : made.ticks(count).tickFormat(v => format(v, 4));
      svg.append("g").attr("class", "axis").attr("transform", place).call(made);
    };
    draw(x, "bottom", [0, width], `translate(${margin.left},${margin.top + height})`, Math.max(2, width / 90));
    draw(y, "left", [height, 0], `translate(${margin.left},${margin.top})`, Math.max(2, height / 60));
    svg.append("text").attr({ class: "label", "text-anchor": "middle", x: margin.left + width / 2, y: margin.top + height + 38 }).text(x.label);
    svg.append("text").attr({ class: "label", "text-anchor": "middle", transform: `translate(13,${margin.top + height / 2}) rotate(-90)` }).text(y.label);
  }

  // Colour bar with its axis.
  function colourBar(element, low, high, log, label) {
    const root = d3.select(element);
    root.selectAll("*").remove();
    const height = Math.max(160, element.clientHeight || 300), n = 128;
    const svg = root.append("svg").attr({ viewBox: `0 0 74 ${height}`, width: 74, height }).attr("class", "bar-svg");
    const top = 10, length = height - 20;
    svg.selectAll("rect").data(d3.range(n)).enter().append("rect").attr({ x: 0, width: 14, y: i => top + length * (1 - (i + 1) / n), height: length / n + 0.6 }).style("fill", i => viridis(i / (n - 1)));
    const scale = (log ? d3.scale.log() : d3.scale.linear()).domain([low, high]).range([top + length, top]);
    const axis = d3.svg.axis().scale(scale).orient("right").outerTickSize(0);
    log ? axis.tickValues(logTicks([low, high])).tickFormat(logText) : axis.ticks(6).tickFormat(v => format(v, 4));
    svg.append("g").attr("class", "axis").attr("transform", "translate(14,0)").call(axis);
    svg.selectAll("text").style({ fill: "var(--ink)", "font-size": "12px" });
    svg.selectAll("path, line").style({ fill: "none", stroke: "var(--soft)" });
    svg.append("title").text(label);
  }

  // Numbers packed by the report: base64, deflate, low bytes then high bytes.
  async function unpack(text) {
    const bytes = Uint8Array.from(atob(text), c => c.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    const planes = new Uint8Array(await new Response(stream).arrayBuffer()), n = planes.length / 2, out = new Uint16Array(n);
    for (let i = 0; i < n; ++i) out[i] = planes[i] | (planes[n + i] << 8);
    return out;
  }
  return { chart, frame, colourBar, unpack, viridis, line, table, format };
})();
