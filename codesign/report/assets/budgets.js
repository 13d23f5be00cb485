"use strict";
// Budgets: a slider per column. What does not meet them all greys out in the plots and tables; nothing is hidden.
const BUDGETS = (function budgets() {
  const byId = (id) => document.getElementById(id);
  const limits = new Map(); // key of a column -> the value allowed; a column without a limit has no entry
  let view = null, gone = new Set();

  const key = (column) => `${column.name} ${column.fidelity || ""}`;
  const floor = (column) => (column.maximise === null ? !column.fidelity || column.name === "fmax" : column.maximise);

  function center(row, index) {
    const cell = row[COLUMN.values][index];
    return Array.isArray(cell) ? cell[0] : cell;
  }

  function inside(row, columns) {
    return columns.every((column, i) => {
      if (!limits.has(key(column))) return true;
      const value = center(row, i), limit = limits.get(key(column));
      // what was not measured cannot be said to meet a budget
      return value !== null && value !== undefined && (floor(column) ? value >= limit : value <= limit);
    });
  }

  function split(rows) {
    const columns = DATA.tables[view.table].columns.map((c) => (c.fidelity && c.fidelity !== view.fidelity ? { name: "", fidelity: "" } : c));
    const kept = [], lost = [];
    for (const row of rows) (inside(row, columns) ? kept : lost).push(row);
    return [kept, lost];
  }

  function mark() {
    const scored = DATA.tables[view.table].rows.filter((r) => r[COLUMN.values].some((v) => v !== null));
    const [kept, lost] = split(scored);
    gone = new Set(lost.map((r) => r[COLUMN.number]));
    for (const row of document.querySelectorAll("tr[data-trial]")) {
      const out = gone.has(Number(row.dataset.trial));
      row.classList.toggle("outside", out);
      row.title = out ? "outside the budgets" : "";
    }
    byId("budget-count").textContent = limits.size ? `${kept.length} of ${scored.length} trials meet the budgets.` : "";
    document.dispatchEvent(new CustomEvent("budgets", { detail: gone }));
  }

  function slider(column, index) {
    const values = [...new Set(DATA.tables[view.table].rows.map((r) => center(r, index)).filter((v) => v !== null && v !== undefined))].sort((a, b) => a - b);
    if (values.length < 2) return null;
    const least = floor(column), free = least ? 0 : values.length - 1;
    const label = document.createElement("label"), input = document.createElement("input"), output = document.createElement("output");
    label.append(`${columnTitle(column)} at ${least ? "least" : "most"}`, output, input);
    Object.assign(input, { type: "range", min: 0, max: values.length - 1, step: 1, value: free });
    input.dataset.column = key(column);
    input.setAttribute("aria-label", label.firstChild.data);  // a label names its first control, which is the output
    if (limits.has(key(column))) {
      const limit = limits.get(key(column));
      const at = least ? values.findIndex((v) => v >= limit) : values.length - 1 - [...values].reverse().findIndex((v) => v <= limit);
      input.value = at < 0 || at >= values.length ? free : at;
    }
    function say() {
      const at = Number(input.value), text = at === free ? "no limit" : formatNumber(values[at]);
      output.textContent = text;
      input.setAttribute("aria-valuetext", text);
      if (at === free) limits.delete(key(column));
      else limits.set(key(column), values[at]);
    }
    input.addEventListener("input", () => { say(); mark(); });
    say();
    return label;
  }

  function show(chosen) {
    view = chosen;
    const main = [], more = [], goals = new Set([...view.goals, ...DATA.constraints.map((c) => c.name)]);
    DATA.tables[view.table].columns.forEach((column, index) => {
      if (column.fidelity && column.fidelity !== view.fidelity) return;
      const made = slider(column, index);
      if (made) (goals.has(column.name) ? main : more).push(made);
    });
    byId("budget-main").replaceChildren(...main);
    byId("budget-more").replaceChildren(...more);
    byId("budget-more").parentElement.hidden = !more.length;
    byId("budgets").hidden = !main.length && !more.length;
    mark();
  }

  byId("budget-reset").addEventListener("click", () => { limits.clear(); show(view); });
  return { show, split, outside: () => gone };
})();
