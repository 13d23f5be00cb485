"use strict";
// Two designs side by side: rows that either has, and where they differ.
(function compareDesigns() {
  const byId = (id) => document.getElementById(id), designs = DATA.designs;
  if (designs.length < 2) {
    byId("compare-table").replaceWith("Two designs are needed.");
    return;
  }

  function difference(a, b, first, second, test) {
    if (!a || !b) return ["only in one", ""];
    if (a[2] === null || b[2] === null) return ["", ""];
    const change = b[2] - a[2], sign = change > 0 ? "+" : "−";
    if (a.length < 4 || b.length < 4) {
      const share = a[2] ? ` (${sign}${Math.abs(100 * change / a[2]).toFixed(1)} %)` : "";
      const less = first.paired.less.some((name) => a[0].startsWith(`${name} (`));
      return [sign + formatNumber(Math.abs(change)) + share, change ? (change < 0) === less ? "better" : "worse" : ""];
    }
    // the values of both in the same replicas of the split: what they share cancels (bootstrap)
    const shared = test && JSON.stringify(first.paired.events || 1) === JSON.stringify(second.paired.events || 2);
    const [one, other] = [first, second].map((d) => shared && d.paired.values[a[0]]);
    let error = Math.hypot(a[3], b[3]);
    if (one && other) {
      const gaps = other.map((v, i) => v - one[i]), mean = gaps.reduce((s, v) => s + v, 0) / gaps.length;
      error = Math.sqrt(gaps.reduce((s, v) => s + (v - mean) ** 2, 0) / (gaps.length - 1));
    }
    const text = formatCell([Math.abs(change), error]), nothing = !/[1-9]/.test(text.split(" ")[0]);
    const pull = error > 0 ? Math.abs(change) / error : change ? Infinity : 0, more = first.paired.better[a[0]];
    const way = more === undefined ? "different" : (change > 0) === more ? "better" : "worse";
    const words = pull < 2 ? "not told apart" : pull < 3 ? `probably ${way}` : way;
    return [`${nothing ? "" : sign}${text} ${words}${one && other ? "" : ", not paired"}`, pull < 2 ? "same" : way === "different" ? "" : way];
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
        const [text, tone] = differs ? difference(x, y, a, b, group.includes("test split")) : ["", ""];
        const made = element("td");
        made.dataset.label = "difference";
        if (text) made.append(element("span", text, tone ? `tone ${tone}` : ""));
        row.append(element("td", differs ? "≠" : ""), label, ...[x, y].map((v, n) => {
          const cell = element("td", undefined, v ? "side" : "absent"), shown = element("data", v ? v[1] : "–");
          if (v && v[2] !== null) shown.value = v[2];
          cell.append(shown);
          cell.dataset.label = n ? b.name : a.name;
          return cell;
        }),
          made);
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
