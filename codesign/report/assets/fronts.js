"use strict";
// Two runs' fronts in one plot, at one fidelity each time, and their progress.
(function bothFronts() {
  const byId = (id) => document.getElementById(id), holder = byId("fronts-plot");
  const marks = [{ color: BLUE, symbol: "circle" }, { color: "#D55E00", symbol: "square" }];
  const names = (kind) => [...new Set(DATA.fronts.flatMap((f) => f.points.flatMap((p) => Object.keys(p[kind]))))];
  const words = (name) => name.replace(/_/g, " ");
  const metrics = names("metrics"), figures = names("figures");
  if (!metrics.length || !figures.length) {
    holder.replaceWith("Nothing to draw: a front with a metric and a figure is needed.");
    return;
  }
  const goal = metrics.find((m) => DATA.goals.includes(m)) || metrics[0];
  const cost = figures.find((f) => f.startsWith("LUT")) || figures[0];
  byId("fronts-x").replaceChildren(...figures.map((f) => new Option(f, f, false, f === cost)));
  byId("fronts-y").replaceChildren(...metrics.map((m) => new Option(words(m), m, false, m === goal)));

  function draw() {
    const x = byId("fronts-x").value, y = byId("fronts-y").value, counts = [];
    const traces = DATA.fronts.map((front, i) => {
      const points = front.points.filter((p) => x in p.figures && y in p.metrics).sort((a, b) => a.figures[x] - b.figures[x]);
      counts.push(`${points.length} of ${front.points.length} points of ${DATA.names[i]} (${front.split} split)`);
      return { type: "scatter", mode: "markers+lines", name: DATA.names[i], x: points.map((p) => p.figures[x]), y: points.map((p) => p.metrics[y][0]),
        error_y: { type: "data", array: points.map((p) => p.metrics[y][1]), width: 0, thickness: 1, color: marks[i].color },
        text: points.map((p) => `trial ${p.trial}${p.exact === false ? ", not exact" : ""}`), hovertemplate: "%{text}: %{y} at %{x}",
        line: { width: 1, dash: i ? "dot" : "solid", color: marks[i].color }, marker: { size: 10, ...marks[i] } };
    });
    Plotly.react(holder, traces, { font: FONT, paper_bgcolor: "#fff", plot_bgcolor: "#fff", hovermode: "closest",
      margin: { l: 60, r: 16, t: 40, b: 56 }, legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0 },
      xaxis: { ...AXIS, title: { text: plain(x) }, type: byId("fronts-log").checked ? "log" : "linear" }, yaxis: { ...AXIS, title: { text: plain(words(y)) } } }, CONFIG);
    byId("fronts-caption").textContent = `Shown: ${counts.join("; ")}. What was not measured is not drawn.`;
  }
  for (const id of ["fronts-x", "fronts-y", "fronts-log"]) byId(id).addEventListener("change", draw);
  byId("fronts-controls").hidden = false;
  draw();

  const progress = byId("fronts-progress");
  if (!progress) return;
  Plotly.newPlot(progress, DATA.progress_of.map((points, i) => ({ type: "scatter", mode: "lines", name: DATA.names[i], x: points.map((p) => p[0]),
    y: points.map((p) => p[1]), line: { color: marks[i].color, dash: i ? "dot" : "solid", width: 2, shape: "hv" } })), { font: { ...FONT, size: 12 },
    margin: { l: 56, r: 12, t: 30, b: 46 }, paper_bgcolor: "#fff", plot_bgcolor: "#fff", legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0 },
    xaxis: { ...AXIS, title: { text: "trial" } }, yaxis: { ...AXIS, title: { text: "hypervolume" }, rangemode: "tozero" } }, CONFIG);
})();
