// Pages of the portal: live news, comparison of runs, trends of an experiment, state of a job.
"use strict";
(() => {
  const byId = id => document.getElementById(id);
  // Only pages that show the catalogue hold a stream open: browsers allow few at a time. When the
  // catalogue has changed the live parts of the page are fetched again and put in place of the old;
  // what the visitor has chosen, opened and focused stays.
  const live = () => [...document.querySelectorAll("[data-live]")];
  const drawn = [];  // draws what scripts add to a part
  async function refresh() {
    const answer = await fetch(location.href);
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelectorAll("[data-live]");
    const old = live();
    if (fresh.length !== old.length) return;
    const chosen = new Set([...document.querySelectorAll("input[name=run]:checked")].map(n => n.value));
    const open = [...document.querySelectorAll("details")].map(n => n.open), focus = document.activeElement;
    const where = focus && (focus.getAttribute("href") ? `a[href="${CSS.escape(focus.getAttribute("href"))}"]` : focus.name === "run" ? `input[name=run][value="${CSS.escape(focus.value)}"]` : null);
    let changed = false;
    old.forEach((node, i) => {
      const text = fresh[i].outerHTML;
      if (served[i] === text) return;
      changed = true;
      served[i] = text;
      node.replaceWith(document.adoptNode(fresh[i]));
    });
    if (!changed) return;
    for (const box of document.querySelectorAll("input[name=run]")) box.checked = chosen.has(box.value);
    const details = [...document.querySelectorAll("details")];
    if (details.length === open.length) details.forEach((n, i) => { n.open = open[i]; });
    for (const draw of drawn) draw();
    const again = where && document.querySelector(where);
    if (again) again.focus();
    byId("news").textContent = "A new result has arrived; the page shows it.";
    byId("news").classList.remove("hidden");
  }
  let served = [];
  if (live().length && window.EventSource) {
    served = live().map(n => n.outerHTML);
    const stream = new EventSource("/api/events");
    let first = null;
    stream.addEventListener("change", event => {
      if (first === null) first = event.data;
      else if (event.data !== first) { first = event.data; refresh(); }
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
      // The same bin is the one at the same q and angle; runs may have different q-maps.
      const matching = (run, want) => {
        if (want.q === null) return run.bins.find(bin => bin.label === want.label);
        const away = bin => bin.q === null ? Infinity : Math.abs(bin.q / want.q - 1) + Math.abs((bin.phi || 0) - (want.phi || 0)) / 360;
        const best = run.bins.reduce((a, b) => away(b) < away(a) ? b : a, run.bins[0] || { q: null });
        return away(best) < 0.05 ? best : null;
      };
      const missing = byId("compare-note").textContent;
      const draw = () => {
        const offset = +byId("compare-offset").value / 100, normalise = byId("compare-normalise").checked, list = [];
        byId("compare-note").textContent = missing;
        runs.forEach((run, k) => {
          const bin = most.bins.length ? matching(run, most.bins[select.value]) : null;
          if (!bin) { if (!run.error) byId("compare-note").textContent += ` ${names[k]}: no bin at this q.`; return; }
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

  function drawTrends() {
    const runs = JSON.parse(byId("trends").dataset.runs);
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
  if (byId("trends")) { drawTrends(); drawn.push(drawTrends); }

  // Reprocessings: each row or section with data-job follows its job until it has ended.
  for (const node of document.querySelectorAll("[data-job]")) {
    const show = job => {
      node.querySelector("[data-job-state]").textContent = job.state;
      const log = node.querySelector("[data-job-log]"), link = node.querySelector("[data-job-run]");
      if (log && log.textContent !== job.log) {
        const end = log.scrollTop + log.clientHeight >= log.scrollHeight - 4;
        log.textContent = job.log;
        if (end) log.scrollTop = log.scrollHeight;
      }
      const steps = [...node.querySelectorAll("[data-step]")], now = steps.findIndex(s => s.dataset.step === job.state);
      steps.forEach((step, i) => { step.classList.toggle("past", now >= 0 && i < now); step.classList.toggle("now", i === now); });
      if (job.run) { link.href = `/run/${job.run}`; link.classList.remove("hidden"); }
    };
    const poll = () => fetch(`/api/jobs/${node.dataset.job}`).then(r => r.json()).then(job => {
      show(job);
      if (!job.ended) setTimeout(poll, 1000);
    }).catch(() => setTimeout(poll, 3000));
    poll();
  }

  const choose = byId("choose");
  if (choose) document.addEventListener("submit", event => {
    if (event.target.id !== "choose") return;
    const least = event.submitter && event.submitter.hasAttribute("formaction") ? 1 : 2;
    if (event.target.querySelectorAll("input[name=run]:checked").length < least) { event.preventDefault(); byId("choose-note").textContent = least > 1 ? "Choose two runs or more." : "Choose a run."; }
  });
})();
