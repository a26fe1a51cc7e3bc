// Icons, drawn by hand; severity is told by shape, word and colour.
import { h, svg } from "./dom.js";

const line = (d) => ["path", { d, fill: "none", stroke: "currentColor", "stroke-width": "1.9", "stroke-linecap": "round", "stroke-linejoin": "round" }];
const full = (d) => ["path", { d, fill: "currentColor" }];
const cut = (d) => ["path", { d, fill: "none", stroke: "var(--surface)", "stroke-width": "2.4", "stroke-linecap": "round" }];

const DRAWN = {
  critical: [full("M8 2h8l6 6v8l-6 6H8l-6-6V8z"), cut("M12 7v6M12 16.6v.1")],
  high: [full("M12 2.5 23 21.5H1z"), cut("M12 10v5M12 18v.1")],
  medium: [full("M12 1.8 22.2 12 12 22.2 1.8 12z")],
  low: [["circle", { cx: 12, cy: 12, r: 8, fill: "none", stroke: "currentColor", "stroke-width": "3.2" }]],
  live: [line("M3 12h4l3-8 4 16 3-8h4")],
  apps: [line("M4 4h6v6H4zM14 4h6v6h-6zM4 14h6v6H4zM14 14h6v6h-6z")],
  profiteers: [line("M12 3v18M16.5 7.2C15.6 6 14 5.4 12 5.4c-2.6 0-4.4 1.2-4.4 3.1 0 4.4 9 2.3 9 6.9 0 2-1.9 3.2-4.6 3.2-2.2 0-4-.8-4.9-2.3")],
  inactive: [line("M12 7v5l3.5 2M21 12a9 9 0 1 1-18 0 9 9 0 0 1 18 0z")],
  freezes: [line("M12 2v20M3.3 7l17.4 10M20.7 7 3.3 17M9 3.5l3 2.5 3-2.5M9 20.5l3-2.5 3 2.5")],
  health: [line("M12 20.5C5 15.6 2.5 12.3 2.5 8.8 2.5 6 4.6 4 7.2 4c1.9 0 3.6 1 4.8 2.9C13.200 5 14.900 4 16.800 4c2.600 0 4.700 2 4.700 4.800 0 3.500-2.500 6.800-9.500 11.700z")],
  api: [line("M8 6 2.500 12 8 18M16 6l5.500 6L16 18M13.500 4l-3 16")],
  sun: [line("M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2v2.500M12 19.500V22M2 12h2.500M19.500 12H22M4.900 4.900l1.800 1.800M17.300 17.300l1.800 1.800M4.900 19.100l1.800-1.800M17.300 6.700l1.800-1.800")],
  moon: [line("M20.500 14.500A8.500 8.500 0 1 1 9.500 3.500a7 7 0 0 0 11 11z")],
  help: [line("M12 21.500a9.500 9.500 0 1 0 0-19 9.500 9.500 0 0 0 0 19zM9.300 9.300c.2-1.500 1.300-2.500 2.800-2.500s2.700 1 2.700 2.400c0 2.200-2.700 2.300-2.700 4.400M12 17v.1")],
  up: [line("M12 19V5M6 11l6-6 6 6")],
  back: [line("M15 5l-7 7 7 7")],
  check: [line("M4 12.500 9.500 18 20 6.500")],
  cross: [line("M5 5l14 14M19 5 5 19")],
  user: [line("M12 12a4.200 4.200 0 1 0 0-8.400 4.200 4.200 0 0 0 0 8.400zM4 21c.7-4 3.800-6 8-6s7.300 2 8 6")],
  hand: [line("M12 12a4.200 4.200 0 1 0 0-8.400 4.200 4.200 0 0 0 0 8.400zM4 21c.7-4 3.800-6 8-6 1.300 0 2.500.2 3.600.6M19 15v6M16 18h6")],
  sleep: [line("M4 6h7l-7 8h7M14 12h6l-6 7h6")],
  key: [line("M8 15.500a4.500 4.500 0 1 0 0-7 4.500 4.500 0 0 0 0 7zM11 12h10.500M18 12v3.500")],
  down: [line("M12 4v11M7 10.500l5 5 5-5M4.500 20h15")],
  shield: [line("M12 2.500 20 5.500v6c0 5-3.200 8.400-8 10-4.800-1.600-8-5-8-10v-6z")],
  stop: [line("M8 2.500h8l5.500 5.500v8L16 21.500H8L2.500 16V8zM8.500 12h7")],
  calm: [line("M3 12h18M3 7h12M3 17h8")],
  lost: [line("M3 3l18 18M5 9.500a11 11 0 0 1 4-2.300M2 6.500A15 15 0 0 1 6 4M12 7a11 11 0 0 1 7 2.700M22 6.500A15 15 0 0 0 11 3.500M8.500 13.500a6 6 0 0 1 3-1.300M15.500 13.500l-.5-.4M12 18v.1")],
  note: [line("M5 3.5h14v12l-5 5H5zM14 20.5v-5h5M8.5 8h7M8.5 12h4")],
  leave: [line("M14 4h5v16h-5M10 8l-4 4 4 4M6 12h9")],
};

const drawn = new Map(); // each is drawn once, and copied from then on

export function icon(what, label = "") {
  if (label) return svg(DRAWN[what] ?? DRAWN.low, label);
  if (!drawn.has(what)) drawn.set(what, svg(DRAWN[what] ?? DRAWN.low));
  return drawn.get(what).cloneNode(true);
}

const WORDS = { critical: "Critical", high: "High", medium: "Medium", low: "Low" };
export const SEVERITIES = ["critical", "high", "medium", "low"];

/** Severity as shape, word and colour. */
export function severity(level, box = true) {
  const known = level in WORDS ? level : "low";
  return h(`span.sev${box ? ".box" : ""}.${known}`, {}, icon(known), WORDS[known]);
}

export const severityWord = (level) => WORDS[level] ?? level;
