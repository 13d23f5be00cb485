"use strict";
// The search space as parallel coordinates, on a canvas so that thousands of lines stay quick, and the progress.
(function parallelCoordinates() {
  const canvas = document.getElementById("parallel"), { axes, rows } = DATA.parallel;
  if (!canvas) return;
  const onFront = new Set(DATA.points);
  let gone = BUDGETS.outside(), wanted = false, seen = false;
  if (!axes.length || !rows.length) {
    canvas.parentElement.replaceWith("Nothing to show: no trial was scored yet.");
    return;
  }
  const ranges = axes.map((_, i) => {
    const known = rows.map((r) => r[1][i]).filter((v) => v !== null);
    const low = known.reduce((a, b) => Math.min(a, b), Infinity), high = known.reduce((a, b) => Math.max(a, b), -Infinity);
    return { low, high, log: axes[i].objective && axes[i].fidelity && low > 0 && high > 12 * low };
  });

  function place(value, i) {
    const { low, high, log } = ranges[i];
    if (high === low) return 0.5;
    return log ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low);
  }

  function line(context, row, x, y) {
    context.beginPath();
    let pen = false;
    row[1].forEach((value, i) => {
      if (value === null) { pen = false; return; }
      if (pen) context.lineTo(x(i), y(place(value, i)));
      else context.moveTo(x(i), y(place(value, i)));
      pen = true;
    });
    context.stroke();
  }

  function words(text, most) {
    return text.length > most ? `${text.slice(0, most - 1)}…` : text;
  }

  function draw() {
    wanted = false;
    const width = canvas.clientWidth, height = canvas.clientHeight, scale = window.devicePixelRatio || 1;
    if (!width) return;
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
    const context = canvas.getContext("2d");
    context.scale(scale, scale);
    const left = 64, right = 74, top = 62, bottom = 24, step = (width - left - right) / Math.max(1, axes.length - 1);
    const x = (i) => left + i * step, y = (share) => height - bottom - share * (height - top - bottom);
    const groups = [[(n) => gone.has(n), "#e3e6ea", 0.6, 1], [(n) => !gone.has(n) && !onFront.has(n), "#6d7581", 0.8, rows.length > 300 ? 0.25 : 0.5],
      [(n) => !gone.has(n) && onFront.has(n), BLUE, 2, 0.9]];
    for (const [chosen, colour, thick, opacity] of groups) {
      Object.assign(context, { strokeStyle: colour, lineWidth: thick, globalAlpha: opacity });
      for (const row of rows) if (chosen(row[0])) line(context, row, x, y);
    }
    Object.assign(context, { globalAlpha: 1, strokeStyle: "#444", fillStyle: INK, lineWidth: 1, textAlign: "center" });
    axes.forEach((axis, i) => {
      context.beginPath();
      context.moveTo(x(i), y(0));
      context.lineTo(x(i), y(1));
      context.stroke();
      const end = (share) => {
        const at = share ? ranges[i].high : ranges[i].low;
        return axis.labels.length ? words(axis.labels[at], 12) : formatNumber(at);
      };
      context.font = `11px ${FONT.family}`;
      context.fillText(end(0), x(i), height - 8);
      context.fillText(end(1), x(i), top - 7);
      context.font = `${axis.objective ? "600 " : ""}12px ${FONT.family}`;
      const title = axis.label.replace(/_/g, " ").split(" of "), most = Math.max(8, Math.floor(step / 6.2));
      const lines = title.length > 1 ? [`${title[0]} of`, title.slice(1).join(" of ")] : [title[0], axis.fidelity || ""];
      lines.forEach((text, n) => context.fillText(words(text, most), x(i), 18 + 15 * n));
    });
    canvas.dataset.outside = rows.filter((r) => gone.has(r[0])).length;
  }

  function later() {
    if (!wanted && seen) requestAnimationFrame(draw);
    wanted = seen;
  }
  document.addEventListener("budgets", (event) => { gone = event.detail; later(); });
  window.addEventListener("resize", later);
  window.addEventListener("beforeprint", draw);
  whenSeen(canvas, () => { seen = true; later(); });
})();

(function progressPlot() {
  const holder = document.getElementById("progress-plot");
  if (!holder) return;
  const points = DATA.progress;
  whenSeen(holder, () => Plotly.newPlot(holder, [{ type: "scatter", mode: "lines", x: points.map((p) => p[0]), y: points.map((p) => p[1]),
    line: { color: BLUE, width: 2, shape: "hv" }, hovertemplate: "after trial %{x}: %{y:.4f}<extra></extra>" }], {
    font: { ...FONT, size: 12 }, margin: { l: 56, r: 12, t: 12, b: 46 }, paper_bgcolor: "#fff", plot_bgcolor: "#fff",
    xaxis: { ...AXIS, title: { text: "trial" } }, yaxis: { ...AXIS, title: { text: "hypervolume" }, rangemode: "tozero" } }, CONFIG));
})();
