// Pages of the portal: live news, comparison of runs, trends of an experiment, state of a job.
"use strict";
(() => {
  const byId = id => document.getElementById(id);
  // Only pages that show the catalogue hold a stream open: browsers allow few at a time.
  if (document.querySelector("[data-live]") && window.EventSource) {
    const stream = new EventSource("/api/events");
    let first = null;
    stream.addEventListener("change", event => {
      if (first === null) first = event.data;
      else if (event.data !== first) { byId("news").classList.remove("hidden"); byId("news").querySelector("a").href = location.href; }
    });
    window.addEventListener("pagehide", () => stream.close());
  }

  const compare = byId("compare");
  if (compare) {
    const colours = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8a6d3b", "#7f7f7f"];
    const chart = Charts.chart(byId("compare-chart"), { height: 480, x: { label: "delay", log: true }, y: { label: "g2" } });
    Promise.all(compare.dataset.runs.split(",").map(id => fetch(`/api/curves/${id}`).then(r => r.ok ? r.json() : { error: r.status, bins: [] }))).then(runs => {
      const select = byId("compare-bin"), names = [...document.querySelectorAll("[data-run-name]")].map(n => n.textContent);
      const most = runs.reduce((a, b) => b.bins.length > a.bins.length ? b : a, { bins: [] });
      most.bins.forEach((bin, i) => select.add(new Option(`${bin.label}: ${bin.text}`, i)));
      runs.forEach((run, i) => { if (run.error) byId("compare-note").textContent += ` ${names[i]}: no curves here.`; });
      const draw = () => {
        const offset = +byId("compare-offset").value / 100, normalise = byId("compare-normalise").checked, list = [];
        runs.forEach((run, k) => {
          const bin = run.bins[select.value];
          if (!bin) return;
          const fit = bin.fit && bin.fit.ok ? bin.fit : null, base = fit ? fit.values[3] : 1;
          const contrast = fit ? fit.values[0] : Math.max(1e-6, (bin.g2.find(v => v !== null) || 2) - base);
          const change = v => v === null ? null : (normalise ? (v - base) / contrast : v) + k * offset;
          list.push({ name: names[k], color: colours[k % colours.length], marks: 3.5, points: run.delay.map((t, j) => [t, change(bin.g2[j]), (bin.err[j] || 0) / (normalise ? contrast : 1)]) });
          if (fit) {
            const good = run.delay.filter(t => t > 0), low = good[0], high = good[good.length - 1];
            list.push({ name: "fit", silent: true, line: true, width: 2, color: colours[k % colours.length], points: d3.range(121).map(i => low * Math.pow(high / low, i / 120)).map(t => [t, change(fit.values[0] * Math.exp(-2 * Math.pow(t / fit.values[1], fit.values[2])) + base)]) });
          }
        });
        chart.set("x", { label: `delay (${most.time_unit || "s"})` });
        chart.set("y", { label: normalise ? "(g2 − baseline) / contrast" : "g2" });
        chart.draw(list);
      };
      for (const id of ["compare-bin", "compare-offset", "compare-normalise"]) byId(id).addEventListener("input", draw);
      [...document.querySelectorAll("[data-run-swatch]")].forEach((node, k) => { node.style.background = colours[k % colours.length]; });
      draw();
      document.body.dataset.ready = "true";
    });
  }

  const trends = byId("trends");
  if (trends) {
    const runs = JSON.parse(trends.dataset.runs);
    const show = (id, key, label, log) => {
      const points = runs.map((r, i) => [i + 1, r[key]]).filter(p => p[1] !== null && (!log || p[1] > 0));
      const node = byId(id);
      if (!points.length) { node.textContent = "No values."; return; }
      const chart = Charts.chart(node, { height: 260, x: { label: "run, in order of time" }, y: { label, log } });
      chart.draw([{ name: "", color: "var(--accent)", line: true, marks: 4, points }]);
    };
    show("trend-tau", "relaxation_time_s", "relaxation time (s)", true);
    show("trend-contrast", "contrast", "contrast", false);
    show("trend-intensity", "intensity", "counts / frame / pixel", false);
    show("trend-temperature", "temperature_K", "temperature (K)", false);
  }

  const job = byId("job");
  if (job) {
    const poll = () => fetch(`/api/jobs/${job.dataset.id}`).then(r => r.json()).then(state => {
      byId("job-state").textContent = state.state;
      byId("job-log").textContent = state.log;
      if (state.run) { const link = byId("job-run"); link.href = `/run/${state.run}`; link.classList.remove("hidden"); }
      if (!state.ended) setTimeout(poll, 1000);
    }).catch(() => setTimeout(poll, 3000));
    poll();
  }

  const choose = byId("choose");
  if (choose) choose.addEventListener("submit", event => {
    if (choose.querySelectorAll("input[name=run]:checked").length < 2) { event.preventDefault(); byId("choose-note").textContent = "Choose two runs or more."; }
  });
})();
