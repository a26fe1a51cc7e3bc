// The one connection that tells what changes. It comes back by itself, and misses nothing.
import { isSignedOut } from "./api.js";
import { setClock } from "./format.js";

const SILENCE_MS = 15000; // the server speaks at least every five seconds
const listeners = new Set();
let source = null;
let last = ""; // id of the last event
let heard = Date.now();
let lostSince = null;
let isOut = false;
export let pulse = null;

/** Call back with (kind, data): "alerts", "pulse", "reset", "lost". Gives how to end it. */
export function listen(callback) {
  listeners.add(callback);
  return () => listeners.delete(callback);
}

export const lost = () => lostSince;

/** Whether it was lost because the session has ended. */
export const signedOut = () => isOut;

function tell(kind, data) {
  for (const callback of [...listeners]) callback(kind, data);
}

export function connect() {
  source?.close();
  source = new EventSource(`/api/events${last ? `?after=${encodeURIComponent(last)}` : ""}`);
  for (const kind of ["alerts", "pulse", "reset"]) {
    source.addEventListener(kind, (event) => {
      last = event.lastEventId;
      heard = Date.now();
      const data = JSON.parse(event.data);
      if (kind === "pulse") {
        pulse = data;
        setClock(data.now);
      }
      lostSince = null;
      isOut = false;
      tell(kind, data);
    });
  }
  source.addEventListener("error", async () => {
    lostSince ??= Date.now();
    // Of a connection that was refused a page is not told why.
    isOut = source.readyState === EventSource.CLOSED && await isSignedOut();
    tell("lost", null);
  });
}

// A browser gives up after some errors, and does not notice a connection that died in silence.
setInterval(() => {
  if (!source) return;
  const silent = Date.now() - heard > SILENCE_MS;
  if (source.readyState === EventSource.CLOSED || silent) {
    lostSince ??= heard;
    heard = Date.now() - SILENCE_MS + 3000; // next try in three seconds
    tell("lost", null);
    connect();
  }
}, 1000);
