"use strict";
// The table of all trials: sorted, filtered and shown a page at a time, so that thousands of rows stay quick.
(function trialTable() {
  const PAGE = 100;
  const { columns, rows } = DATA.tables.all;
  const byId = (id) => document.getElementById(id);
  const table = byId("trial-table"), body = table.tBodies[0];
  const onFront = new Set(DATA.points);
  const value = (cell) => (Array.isArray(cell) ? cell[0] : cell);

  const heads = [
    { label: "trial", key: (r) => r[COLUMN.number] },
    { label: "state", key: (r) => r[COLUMN.state] },
    { label: "configuration", small: "and the reason of a failure", key: (r) => r[COLUMN.config], text: true },
    ...columns.map((column, i) => ({ label: column.label, small: column.fidelity || DATA.judged_on.split(" ")[0], key: (r) => value(r[COLUMN.values][i]) })),
    { label: "seconds", key: (r) => r[COLUMN.seconds] },
  ];
  let sorted = { head: 0, down: false }, page = 0, marked = null, matching = rows;

  function compare(a, b) {
    if (typeof a === "number" && typeof b === "number") return a - b;
    return String(a).localeCompare(String(b), "en", { numeric: true });
  }

  function order() {
    const { key } = heads[sorted.head], sign = sorted.down ? -1 : 1;
    const missing = (v) => v === null || v === undefined;
    matching.sort((a, b) => {
      const x = key(a), y = key(b);
      // what was not measured stands last, whichever way the rest is sorted
      if (missing(x) || missing(y)) return Number(missing(x)) - Number(missing(y)) || a[0] - b[0];
      return sign * compare(x, y) || a[0] - b[0];
    });
  }

  function filter() {
    const state = byId("trial-state").value, words = byId("trial-search").value.trim().toLowerCase();
    matching = rows.filter((r) => (!state || (state === "front" ? onFront.has(r[COLUMN.number]) : r[COLUMN.state] === state))
      && (!words || `${r[COLUMN.config]} ${r[COLUMN.reason]}`.toLowerCase().includes(words)));
    order();
    page = 0;
  }

  function row(r) {
    const made = element("tr");
    const number = r[COLUMN.number], head = element("th");
    head.scope = "row";
    if (onFront.has(number)) {
      const link = element("a", number);
      link.href = `#trial-${number}`;
      head.append(link);
      made.classList.add("on-front");
    } else {
      head.textContent = number;
    }
    const label = (cell, text) => { cell.dataset.label = text; return cell; };
    const state = label(element("td"), "state"), known = ["complete", "infeasible", "failed", "running"].includes(r[COLUMN.state]);
    state.append(element("span", r[COLUMN.state], `state ${known ? r[COLUMN.state] : "unknown"}`));
    const config = label(element("td", undefined, "text"), "configuration");
    config.append(element("span", r[COLUMN.config]));
    // the reason stands where it is seen without scrolling sideways
    if (r[COLUMN.reason]) config.append(element("span", r[COLUMN.reason], r[COLUMN.state] === "failed" ? "reason bad" : "reason soft"));
    made.append(head, state, config);
    r[COLUMN.values].forEach((cell, i) => {
      const made_of = label(element("td", cell === null ? "–" : undefined, cell === null ? "absent" : ""), columnTitle(columns[i]));
      if (cell !== null) made_of.append(exactly(cell, columns[i]));
      made.append(made_of);
    });
    made.append(label(element("td", r[COLUMN.seconds] === null ? "–" : formatNumber(r[COLUMN.seconds])), "seconds"));
    if (number === marked) made.classList.add("marked");
    return made;
  }

  function show() {
    const pages = Math.max(1, Math.ceil(matching.length / PAGE));
    page = Math.min(Math.max(page, 0), pages - 1);
    const from = page * PAGE, part = matching.slice(from, from + PAGE);
    body.replaceChildren(...part.map(row));
    byId("trial-page").textContent = part.length ? `${from + 1}–${from + part.length} of ${matching.length}` : "no such trial";
    byId("trial-back").disabled = page === 0;
    byId("trial-next").disabled = page >= pages - 1;
    [...table.tHead.rows[0].cells].forEach((cell, i) => {
      cell.ariaSort = i === sorted.head ? (sorted.down ? "descending" : "ascending") : "none";
    });
  }

  const line = element("tr");
  heads.forEach((head, i) => {
    const cell = element("th", undefined, head.text ? "text" : ""), button = element("button", head.label);
    cell.scope = "col";
    button.type = "button";
    if (head.small) button.append(element("small", head.small));
    button.addEventListener("click", () => {
      sorted = { head: i, down: i === sorted.head ? !sorted.down : false };
      order();
      show();
    });
    cell.append(button);
    line.append(cell);
  });
  table.tHead.append(line);

  byId("trial-state").addEventListener("change", () => { filter(); show(); });
  byId("trial-search").addEventListener("input", () => { filter(); show(); });
  byId("trial-back").addEventListener("click", () => { page -= 1; show(); });
  byId("trial-next").addEventListener("click", () => { page += 1; show(); });
  document.addEventListener("show-trial", (event) => {
    marked = event.detail;
    byId("trial-state").value = byId("trial-search").value = "";
    filter();
    page = Math.floor(matching.findIndex((r) => r[COLUMN.number] === marked) / PAGE);
    show();
    const found = body.querySelector(".marked");
    if (found) {
      openAround(found);
      found.scrollIntoView({ block: "center" });
    }
  });
  byId("trial-controls").hidden = false;
  filter();
  show();
})();
