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
  window.addEventListener("beforeprint", once);
}

// a metric is [value, error], a figure a number; null is what was not measured
function formatCell(cell) {
  if (cell === null || cell === undefined) return "not measured";
  if (!Array.isArray(cell)) return formatNumber(cell);
  const digits = cell[1] > 0 ? Math.min(8, Math.max(0, 1 - Math.floor(Math.log10(cell[1])))) : 4;
  return cell[0].toFixed(digits) + " ± " + cell[1].toFixed(digits);
}

function columnTitle(column) {
  return column.fidelity ? `${column.label} (${column.fidelity})` : column.label;
}

