"use strict";
// Two designs side by side: rows that either has, and where they differ.
(function compareDesigns() {
  const byId = (id) => document.getElementById(id), designs = DATA.designs;
  if (designs.length < 2) {
    byId("compare-table").replaceWith("Two designs are needed.");
    return;
  }

  function difference(a, b) {
    if (!a || !b) return "only in one";
    if (a[2] === null || b[2] === null) return "";
    const change = b[2] - a[2], sign = change > 0 ? "+" : "−";
    const share = a[1].includes("±") || !a[2] ? "" : ` (${sign}${Math.abs(100 * change / a[2]).toFixed(1)} %)`;
    return sign + formatNumber(Math.abs(change)) + share;
  }

  function show() {
    const [a, b] = ["compare-a", "compare-b"].map((id) => designs[byId(id).value]), only = byId("compare-only").checked;
    const head = element("thead"), line = element("tr");
    let differing = 0;
    for (const text of ["≠", "What", a.name, b.name, "Difference"]) {
      const cell = element("th", text, text === "What" ? "text" : "");
      cell.scope = "col";
      line.append(cell);
    }
    head.append(line);
    const bodies = a.groups.map(([group, left], i) => {
      const right = b.groups[i][1], body = element("tbody"), title = element("tr");
      const cell = element("th", group, "text group");
      Object.assign(cell, { scope: "rowgroup", colSpan: 5 });
      title.append(cell);
      body.append(title);
      for (const name of new Set([...left, ...right].map((r) => r[0]))) {
        const [x, y] = [left, right].map((rows) => rows.find((r) => r[0] === name)), differs = !x || !y || x[1] !== y[1];
        differing += differs;
        if (only && !differs) continue;
        const row = element("tr", undefined, differs ? "differs" : ""), label = element("th", name, "text");
        label.scope = "row";
        row.append(element("td", differs ? "≠" : ""), label, ...[x, y].map((v) => element("td", v ? v[1] : "–", v ? "side" : "absent")),
          element("td", differs ? difference(x, y) : ""));
        body.append(row);
      }
      return body;
    });
    byId("compare-table").replaceChildren(head, ...bodies.filter((body) => body.rows.length > 1));
    byId("compare-count").textContent = differing === 1 ? "1 row differs." : `${differing} rows differ.`;
  }

  ["compare-a", "compare-b"].forEach((id, i) => {
    byId(id).replaceChildren(...designs.map((d, n) => new Option(d.name, n, false, n === (i ? designs.length - 1 : 0))));
    byId(id).addEventListener("change", show);
  });
  byId("compare-only").addEventListener("change", show);
  byId("compare-controls").hidden = false;
  show();
})();
