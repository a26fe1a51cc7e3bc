// Numbers, money and times as people read them. Times are UTC, local on hover.
import { h } from "./dom.js";

const whole = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat("en-US", { notation: "compact", maximumSignificantDigits: 3 });
const digits = new Intl.NumberFormat("en-GB", { maximumSignificantDigits: 4 });

export const count = (number) => whole.format(number);
export const compact = (number) => (Math.abs(number) < 1000 ? digits3(number) : short.format(number));
export const number = (value) => (Math.abs(value) >= 1000 ? whole.format(value) : digits.format(value));

function digits3(value) {
  return Math.abs(value) >= 100 || Number.isInteger(value) ? whole.format(value) : String(Number(value.toPrecision(3)));
}

export const usd = (value) => `$${compact(value)}`;
export const dollars = (value) => `$${Math.abs(value) >= 100 ? whole.format(value) : value.toFixed(2)}`;

/** How rare a score is: 0.999 is one in 1,000. */
export const oneIn = (score) => 1 / Math.max(1 - score, 1e-10);
export const rarity = (score) => `1 in ${compact(Math.round(oneIn(score)))}`;

export function age(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} m`;
  return `${Math.floor(seconds / 86400)} d`;
}

export function span(ms) {
  const seconds = ms / 1000;
  if (seconds < 1) return `${Math.round(ms)} ms`;
  if (seconds < 60) return `${Number(seconds.toPrecision(3))} s`;
  return age(ms);
}

const pad = (value, length = 2) => String(value).padStart(length, "0");

export function clock(ms, millis = false) {
  const at = new Date(ms);
  const text = `${pad(at.getUTCHours())}:${pad(at.getUTCMinutes())}:${pad(at.getUTCSeconds())}`;
  return millis ? `${text}.${pad(at.getUTCMilliseconds(), 3)}` : text;
}

export function date(ms) {
  return new Date(ms).toISOString().slice(0, 10);
}

/** A time in UTC; hovering tells it in local time. */
export function time(ms, { withDate = false, millis = false } = {}) {
  if (ms === null || ms === undefined) return h("span.faint", {}, "–");
  const utc = withDate ? `${date(ms)} ${clock(ms, millis)}` : clock(ms, millis);
  return h("time.nowrap", { datetime: new Date(ms).toISOString() }, utc);
}

const local = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "long" });

// Told when somebody asks: thousands of rows come and go, few are hovered over.
document.addEventListener("mouseover", (event) => {
  const element = event.target.closest?.("time[datetime]:not([title])");
  if (!element) return;
  const ms = Date.parse(element.dateTime);
  element.title = `${date(ms)} ${clock(ms, true)} UTC\n${local.format(ms)} local`;
});

// One timer for all ages on the page.
const ages = new Set();
let offset = 0; // of the server's clock

export const now = () => Date.now() + offset;

export function setClock(serverNow) {
  offset = serverNow - Date.now();
}

/** An age that grows by itself. */
export function ageOf(ms) {
  const element = h("time.nowrap", { datetime: new Date(ms).toISOString() });
  element.textContent = age(now() - ms);
  ages.add({ element: new WeakRef(element), ms });
  return element;
}

setInterval(() => {
  for (const entry of ages) {
    const element = entry.element.deref();
    if (!element || (!element.isConnected && element.dataset.seen)) ages.delete(entry);
    else if (element.isConnected) {
      element.dataset.seen = "1";
      const text = age(now() - entry.ms);
      if (element.textContent !== text) element.textContent = text;
    }
  }
}, 1000);
