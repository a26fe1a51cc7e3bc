// At a glance: what is open, what it may cost, what waits, and when it came.
import { fill, h } from "./dom.js";
import { clock, count, usd } from "./format.js";
import { icon, SEVERITIES, severityWord } from "./icons.js";
import { pulse } from "./stream.js";

export function tiles(filter, changed) {
  const element = h("section.glance", { "aria-label": "At a glance" });
  const severities = new Map();
  const levels = h("div.levels");
  for (const level of SEVERITIES) {
    const value = h("b", {}, "–");
    const button = h(`button.level.${level}`, { type: "button", onclick: () => {
      const only = filter.severity.size === 1 && filter.severity.has(level);
      filter.severity.clear();
      if (!only) filter.severity.add(level);
      changed();
    } }, h("span.label", {}, icon(level), severityWord(level)), value);
    severities.set(level, { button, value });
    levels.append(button);
  }
  const facts = new Map();
  const fact = (key, label, href = null) => {
    const value = h("b", {}, "–");
    facts.set(key, value);
    return h(href ? "a.fact" : "div.fact", { href }, h("span.label", {}, label), value);
  };
  const times = h("div.times");
  element.append(levels, h("div.facts", {}, fact("money", "Money at risk"), fact("unclaimed", "Unclaimed"), fact("pending", "Await approval", "/freezes"), fact("frozen", "Keys frozen", "/freezes"), fact("apps", "Leaking apps", "/apps")), times);

  function update() {
    for (const [level, { button }] of severities) button.setAttribute("aria-pressed", String(filter.severity.has(level)));
    const known = pulse?.summary;
    if (!known) return;
    for (const [level, { value }] of severities) set(value, count(known.open[level]));
    set(facts.get("money"), usd(known.money));
    for (const key of ["unclaimed", "pending", "frozen", "apps"]) set(facts.get(key), count(known[key]));
    facts.get("pending").classList.toggle("warn", known.pending > 0);
    drawTimes(times, known.histogram);
  }
  update();
  return { element, update };
}

function set(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

const SPANS = { 15: "15 min", 60: "hour", 360: "6 hours", 1440: "24 hours", 10080: "7 days" };
const SVG = "http://www.w3.org/2000/svg";
const ORDER = [0, 1, 2, 3]; // low at the bottom

function drawTimes(box, histogram) {
  const text = JSON.stringify(histogram.counts);
  if (box.dataset.drawn === text) return;
  box.dataset.drawn = text;
  const totals = histogram.counts.map((bar) => bar.reduce((sum, one) => sum + one, 0));
  const most = Math.max(4, ...totals);
  const chart = document.createElementNS(SVG, "svg");
  const sum = totals.reduce((all, one) => all + one, 0);
  chart.setAttribute("viewBox", `0 0 ${totals.length * 6} 48`);
  chart.setAttribute("preserveAspectRatio", "none");
  chart.setAttribute("role", "img");
  chart.setAttribute("aria-label", `${sum} alerts within the last ${SPANS[histogram.minutes]}`);
  histogram.counts.forEach((bar, place) => {
    let bottom = 48;
    for (const level of ORDER) {
      if (!bar[level]) continue;
      const height = (46 * bar[level]) / most;
      bottom -= height;
      const rect = document.createElementNS(SVG, "rect");
      for (const [name, value] of Object.entries({ x: place * 6 + 0.7, y: bottom, width: 4.6, height })) rect.setAttribute(name, value);
      rect.setAttribute("class", ["low", "medium", "high", "critical"][level]);
      const title = document.createElementNS(SVG, "title");
      title.textContent = `${clock(histogram.from + place * histogram.width)} UTC: ${totals[place]}`;
      rect.append(title);
      chart.append(rect);
    }
  });
  fill(box, h("span.label", {}, `Alerts, last ${SPANS[histogram.minutes]}`), chart);
}
