// How fresh all this is, in a few words.
import { age, clock, count } from "./format.js";

const STALE_MS = 40_000;

/** Say how things stand, by the last pulse, since when the dashboard is lost and if the session ended; gives tone and words. */
export function standing(pulse, lostSince, now, signedOut = false) {
  if (signedOut) return ["bad", "Your session has ended"];
  if (lostSince) return ["bad", `Dashboard unreachable since ${clock(lostSince)}`];
  if (!pulse) return ["warn", "Connecting…"];
  if (!pulse.reachable) return ["bad", `Brokers unreachable since ${clock(pulse.since)}`];
  if (!pulse.read_up) return ["warn", "Catching up…"];
  const quiet = now - (pulse.orders_moved || pulse.started);
  if (quiet > STALE_MS) return ["warn", `No event for ${age(quiet)}`];
  return ["ok", pulse.orders_rate ? `Live · ${count(pulse.orders_rate)} events/s` : "Live"];
}
