"use strict";
// The front's scatter plot, and the tasks' plots.
(function frontPlot() {
  const holder = document.getElementById("front-plot");
  const select = (id) => document.getElementById(id);
  const onFront = new Set(DATA.points);
  if (!DATA.views.length) {
    holder.hidden = true;
    select("front-caption").textContent = "No trial was scored yet.";
    return;
  }

  function fill(element, options, chosen) {
    element.replaceChildren(...options.map(([value, label]) => new Option(label, value, false, String(value) === String(chosen))));
  }

  function axes(view) {
    return DATA.tables[view.table].columns.map((column, index) => ({ ...column, index }))
      .filter((column) => !column.fidelity || column.fidelity === view.fidelity);
  }

  // the axes a reader wants first: the first figure and the first metric among the objectives, the next one as colour
  function offer() {
    const view = DATA.views[select("view").value];
    const found = axes(view), rank = (c) => (view.goals.indexOf(c.name) + 1) || 99;
    const sorted = [...found].sort((a, b) => rank(a) - rank(b));
    const figures = sorted.filter((c) => c.fidelity), metrics = sorted.filter((c) => !c.fidelity);
    const x = figures[0] || metrics[1] || metrics[0], y = metrics[0] || figures[1] || figures[0];
    const colour = sorted.find((c) => c.objective && c !== x && c !== y);
    const options = found.map((c) => [c.index, columnTitle(c)]);
    fill(select("axis-x"), options, x.index);
    fill(select("axis-y"), options, y.index);
    const several = DATA.families ? [["family", "family"]] : [];
    fill(select("axis-c"), [["", "none"], ...several, ...options], several.length ? "family" : colour ? colour.index : "");
    const values = DATA.tables[view.table].rows.map((r) => center(r, x)).filter((v) => v > 0);
    select("log-x").checked = values.length > 1 && Math.max(...values) > 12 * Math.min(...values);
    BUDGETS.show(view);  // says "budgets", and so draws
  }

  function center(row, column) {
    const cell = row[COLUMN.values][column.index];
    return Array.isArray(cell) ? cell[0] : cell;
  }

  function trace(rows, name, x, y, more) {
    // thousands of error bars hide what they belong to, and take their time
    const errors = (axis) => axis.fidelity || !more.errorColour || rows.length > 400 ? undefined : { type: "data", array: rows.map((r) => r[COLUMN.values][axis.index][1]),
      thickness: 1, width: 0, color: more.errorColour };
    return { type: "scatter", mode: "markers", name, x: rows.map((r) => center(r, x)), y: rows.map((r) => center(r, y)),
      error_x: errors(x), error_y: errors(y), customdata: rows.map((r) => r[COLUMN.number]),
      text: rows.map((r) => hover(r, x, y)), hovertemplate: "%{text}<extra></extra>", marker: more.marker };
  }

  function hover(row, x, y) {
    const line = (axis) => `${plain(columnTitle(axis))}: ${formatCell(row[COLUMN.values][axis.index])}`;
    const words = plain(row[COLUMN.config]).replace(/(.{40,60}?), /g, "$1,<br>");
    return `<b>Trial ${row[COLUMN.number]}</b> (${plain(row[COLUMN.state])})<br>${line(y)}<br>${line(x)}<br>${words}`;
  }

  function goalsLine(rows, x, y) {
    // only where both directions are known does "best" mean anything
    if (x.maximise === null || y.maximise === null || x.index === y.index) return [];
    const sign = (axis) => (axis.maximise ? -1 : 1);
    const sorted = [...rows].sort((a, b) => sign(x) * (center(a, x) - center(b, x)) || sign(y) * (center(a, y) - center(b, y)));
    const best = [];
    for (const row of sorted) {
      if (!best.length || sign(y) * center(row, y) < sign(y) * center(best[best.length - 1], y)) best.push(row);
    }
    return [{ type: "scatter", mode: "lines", x: best.map((r) => center(r, x)), y: best.map((r) => center(r, y)), hoverinfo: "skip",
      line: { shape: x.maximise ? "vh" : "hv", color: BLUE, width: 1.2 }, opacity: 0.55, name: "best in this plane" }];
  }

  function baselineMarks(view, x, y) {
    const shapes = [], notes = [];
    for (const [axis, other] of [[y, "x"], [x, "y"]]) {
      const mark = axis.fidelity ? undefined : view.baseline[axis.name];
      if (!mark) continue;
      const name = other === "x" ? "y" : "x";
      shapes.push({ type: "rect", layer: "below", line: { width: 0 }, fillcolor: "rgba(60,60,60,0.13)", [`${other}ref`]: "paper",
        [`${other}0`]: 0, [`${other}1`]: 1, [`${name}0`]: mark[0] - mark[1], [`${name}1`]: mark[0] + mark[1] });
      shapes.push({ type: "line", layer: "below", line: { color: "#333", width: 1.5, dash: "dash" }, [`${other}ref`]: "paper",
        [`${other}0`]: 0, [`${other}1`]: 1, [`${name}0`]: mark[0], [`${name}1`]: mark[0] });
      if (other === "x") notes.push({ xref: "paper", x: 0.005, y: mark[0], xanchor: "left", yanchor: "bottom", showarrow: false,
        text: plain(DATA.baseline || "baseline"), font: { size: 12, color: "#333" } });
    }
    return [shapes, notes];
  }

  // 1, 2 and 5 of every decade, written out: a front spans one or two of them
  function decades(values) {
    const positive = values.filter((v) => v > 0);
    if (!positive.length) return {};
    const ticks = [], low = Math.floor(Math.log10(Math.min(...positive))), high = Math.ceil(Math.log10(Math.max(...positive)));
    for (let power = low; power <= high; power += 1) {
      for (const digit of high - low > 4 ? [1] : [1, 2, 5]) ticks.push(Number((digit * 10 ** power).toPrecision(2)));
    }
    return { tickvals: ticks, ticktext: ticks.map(formatNumber) };
  }

  function draw() {
    const view = DATA.views[select("view").value], table = DATA.tables[view.table];
    const axis = (id) => ({ ...table.columns[select(id).value], index: Number(select(id).value) });
    const x = axis("axis-x"), y = axis("axis-y"), byFamily = select("axis-c").value === "family",
      c = byFamily || select("axis-c").value === "" ? null : axis("axis-c");
    const log = select("log-x").checked, compact = holder.clientWidth < 560;
    const shown = table.rows.filter((r) => ["complete", "infeasible"].includes(r[COLUMN.state]) || view.table === "front")
      .filter((r) => center(r, x) !== null && center(r, y) !== null);
    const [inside, outside] = BUDGETS.split(shown);
    const members = new Set(view.members);  // each fidelity has a front of its own
    const front = inside.filter((r) => members.has(r[COLUMN.number]));
    const rest = inside.filter((r) => !members.has(r[COLUMN.number]));
    const infeasible = rest.filter((r) => r[COLUMN.state] === "infeasible");
    const complete = rest.filter((r) => r[COLUMN.state] !== "infeasible");
    const refuted = front.filter((r) => r[COLUMN.verdict] === "different");
    const sound = front.filter((r) => r[COLUMN.verdict] !== "different");
    const coloured = c !== null && new Set(sound.map((r) => center(r, c)).filter((v) => v !== null)).size > 1;
    const marker = { size: 12, line: { color: "#fff", width: 1.2 }, color: BLUE };
    if (coloured) {
      Object.assign(marker, { color: sound.map((r) => center(r, c)), colorscale: "Viridis", showscale: true, line: { color: INK, width: 1 },
        colorbar: { title: { text: plain(columnTitle(c)), side: compact ? "top" : "right" }, thickness: 11, outlinewidth: 0,
          ...(compact ? { orientation: "h", y: -0.32, yanchor: "top", len: 0.9 } : { len: 0.85 }) } });
    }
    const traces = [];
    if (outside.length) traces.push(trace(outside, "outside the budgets", x, y, { errorColour: null, marker: { size: 6, color: "#d3d7dd", symbol: "diamond" } }));
    if (complete.length) traces.push(trace(complete, "not on the front", x, y, { errorColour: "rgba(138,143,152,0.35)", marker: { size: 7, color: GREY } }));
    if (infeasible.length) traces.push(trace(infeasible, "infeasible", x, y, { errorColour: "rgba(138,143,152,0.35)",
      marker: { size: 8, color: GREY, symbol: "circle-open", line: { width: 1.5 } } }));
    traces.push(...goalsLine(sound, x, y));
    for (const [name, color] of byFamily ? DATA.families : []) {
      const own = sound.filter((r) => DATA.family[r[COLUMN.number]] === name);
      if (own.length) traces.push(trace(own, plain(name), x, y, { errorColour: color, marker: { ...marker, color } }));
    }
    if (sound.length && !byFamily) traces.push(trace(sound, DATA.provisional ? "front so far" : "front", x, y, { errorColour: "rgba(0,80,130,0.55)", marker }));
    if (refuted.length) traces.push(trace(refuted, "front, verification failed", x, y, { errorColour: RED, marker: { size: 13, color: RED, symbol: "x" } }));
    const [shapes, annotations] = baselineMarks(view, x, y);
    for (const goal of view.fidelity === "compiled" ? DATA.constraints : []) {
      const largest = Math.max(...shown.map((r) => center(r, x)));
      if (goal.name === x.name && goal.max !== null && goal.max < 1.6 * largest) {
        shapes.push({ type: "line", layer: "below", yref: "paper", y0: 0, y1: 1, x0: goal.max, x1: goal.max, line: { color: RED, width: 1, dash: "dot" } });
        annotations.push({ yref: "paper", y: 0.02, x: log ? Math.log10(goal.max) : goal.max, xanchor: "right", yanchor: "bottom", showarrow: false,
          text: "limit " + formatNumber(goal.max), textangle: -90, font: { size: 11, color: RED } });
      }
    }
    Plotly.react(holder, traces, {
      font: FONT, paper_bgcolor: "#fff", plot_bgcolor: "#fff", shapes, annotations, hovermode: "closest", clickmode: "event",
      margin: { l: 60, r: coloured && !compact ? 20 : 16, t: 40, b: 56 }, legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0 },
      xaxis: { ...AXIS, title: { text: plain(columnTitle(x)) }, type: log ? "log" : "linear", ...(log ? decades(shown.map((r) => center(r, x))) : {}) },
      yaxis: { ...AXIS, title: { text: plain(columnTitle(y)) } },
      hoverlabel: { bgcolor: "#fff", bordercolor: "#888", font: FONT, align: "left" },
    }, CONFIG);
    const split = view.table === "front" ? "test split (measured for the front only)" : DATA.judged_on;
    select("front-caption").textContent = `Metrics are on the ${split}, with one standard deviation; figures are ${view.fidelity}. `
      + `${front.length} on the front, ${complete.length} others, ${infeasible.length} infeasible`
      + (outside.length ? `, ${outside.length} outside the budgets. ` : ". ")
      + (Object.keys(view.baseline).length ? "Dashed line and band: the baseline, on the same split. " : "")
      + "Click on a point to go to its section, or to its row in the table of all trials.";
    holder.setAttribute("aria-label", `Scatter plot of ${columnTitle(y)} against ${columnTitle(x)}, ${shown.length} trials, `
      + `${front.length} of them on the front. The tables below hold the same numbers.`);
  }

  fill(select("view"), DATA.views.map((view, i) => [i, view.label]), 0);
  select("view").addEventListener("change", offer);
  for (const id of ["axis-x", "axis-y", "axis-c", "log-x"]) select(id).addEventListener("change", draw);
  document.addEventListener("budgets", draw);
  select("controls").hidden = false;
  // drawn when it is opened: in a closed part it has no width
  const part = select("explore");
  let begun = false;
  const begin = () => { if (part.open && !begun) { begun = true; offer(); listen(); } };
  part.addEventListener("toggle", begin);
  begin();
  const listen = () => holder.on("plotly_click", (event) => {
    const number = event.points[0].customdata;
    if (number === undefined) return;
    if (onFront.has(number)) location.hash = `trial-${number}`;
    else document.dispatchEvent(new CustomEvent("show-trial", { detail: number }));
  });
})();

(function physicsPlots() {
  // drawn when they come into view: a front of twenty has a hundred of them
  function draw(element) {
    const figure = DATA.physics[element.id];
    if (!figure) return;
    const layout = { font: { ...FONT, size: 13 }, margin: { l: 64, r: 12, t: 10, b: 50 }, hovermode: "closest",
      paper_bgcolor: "#fff", plot_bgcolor: "#fff", legend: { orientation: "h", y: 1.01, yanchor: "bottom", x: 0, font: { size: 11.5 }, itemwidth: 30 },
      ...figure.layout, xaxis: { ...AXIS, ...figure.layout.xaxis }, yaxis: { ...AXIS, ...figure.layout.yaxis } };
    Plotly.newPlot(element, figure.data, layout, CONFIG);
  }
  for (const element of document.querySelectorAll(".plots .plot")) whenSeen(element, () => draw(element));
})();
