"use strict";
// What the report's scripts share. Reads the JSON in #data; loads nothing.
const DATA = JSON.parse(document.getElementById("data").textContent);
const BLUE = "#0072B2", RED = "#C04000", GREY = "#8a8f98", INK = "#1a1a1a";
const FONT = { family: "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif", size: 13, color: INK };
const CONFIG = { responsive: true, displaylogo: false, modeBarButtons: [["toImage", "zoom2d", "pan2d", "resetScale2d"]] };
const AXIS = { gridcolor: "#e6e8eb", linecolor: "#444", ticks: "outside", tickcolor: "#444", showline: true, mirror: true,
  zeroline: false, automargin: true, exponentformat: "power" };
const COLUMN = { number: 0, state: 1, verdict: 2, config: 3, seconds: 4, reason: 5, values: 6 };

// plotly reads a small HTML in every label: what comes from a record must reach it as text
function plain(text) {
  return String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
}

// made once: toLocaleString makes one for every number, and thousands of them take their time
const WHOLE = new Intl.NumberFormat("en-US"), LARGE = new Intl.NumberFormat("en-US", { maximumFractionDigits: 1 });

function formatNumber(value) {
  if (Number.isInteger(value)) return WHOLE.format(value);
  return Math.abs(value) >= 1000 ? LARGE.format(value) : String(Number(value.toPrecision(4)));
}

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

// what lies below is drawn when it comes into view, and before printing
function whenSeen(element, draw) {
  let drawn = false;
  const once = () => { if (!drawn) draw(); drawn = true; };
  const watcher = new IntersectionObserver((entries) => {
    if (!entries.some((e) => e.isIntersecting)) return;
    watcher.disconnect();
    once();
  }, { rootMargin: "600px" });
  watcher.observe(element);
  window.addEventListener("beforeprint", () => { if (element.checkVisibility()) once(); });
}

// a metric is [value, error], a figure a number; null is what was not measured
function formatCell(cell) {
  if (cell === null || cell === undefined) return "not measured";
  if (!Array.isArray(cell)) return formatNumber(cell);
  const digits = cell[1] > 0 ? Math.min(8, Math.max(0, 1 - Math.floor(Math.log10(cell[1])))) : 4;
  return cell[0].toFixed(digits) + " ± " + cell[1].toFixed(digits);
}

// a count is shown whole; its exact value stays in the page for who reads it with a program
function exactly(cell, column) {
  const whole = column && column.count && !Array.isArray(cell);
  const made = element("data", whole ? WHOLE.format(Math.round(cell)) : formatCell(cell));
  made.value = Array.isArray(cell) ? cell[0] : cell;
  return made;
}

function columnTitle(column) {
  return column.fidelity ? `${column.label} (${column.fidelity})` : column.label;
}


// what lies in a closed part opens when a link leads to it
function openAround(target) {
  for (let at = target; at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
}

(function followLinks() {
  const follow = () => {
    const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    openAround(target);
    target.scrollIntoView();
  };
  window.addEventListener("hashchange", follow);
  window.addEventListener("load", follow);
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[href^='#']");
    const target = link && document.getElementById(link.getAttribute("href").slice(1));
    if (target) openAround(target);
  });
  const all = document.getElementById("open-all");
  if (!all) return;
  all.hidden = false;
  all.addEventListener("click", () => {
    const open = all.textContent === "Open everything";
    for (const part of document.querySelectorAll("details")) part.open = open;
    all.textContent = open ? "Close everything" : "Open everything";
  });
})();

// on paper plots have the width of a column, and what is closed is not drawn; afterwards they have their own again
(function printPlots() {
  const shown = () => [...document.querySelectorAll(".js-plotly-plot")].filter((plot) => plot.checkVisibility());
  const size = (plot, width, height) => Plotly.relayout(plot, width ? { width, height, autosize: false } : { autosize: true, width: null, height: null });
  window.addEventListener("beforeprint", () => { for (const plot of shown()) size(plot, plot.closest(".plots") ? 335 : 690, 300); });
  window.addEventListener("afterprint", () => { for (const plot of shown()) size(plot); });
})();
