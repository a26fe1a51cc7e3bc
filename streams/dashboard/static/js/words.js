// What the API's terms mean to people.
import { h, name } from "./dom.js";
import { icon } from "./icons.js";

export const KINDS = { leaked_key: "Leaked key", app_leak: "App leak", profiteer: "Profiteer" };
export const STATUSES = { open: "Open", claimed: "Claimed", snoozed: "Snoozed", confirmed: "Confirmed", false_alarm: "False alarm" };
export const ACTIONS = { freeze_key: "Freeze the key", freeze_app: "Freeze the app's keys", hold_withdrawals: "Hold withdrawals", review: "Review" };
const STATUS_TONES = { open: "", claimed: "info", snoozed: "", confirmed: "bad", false_alarm: "good" };

const FREEZES = {
  frozen: ["Frozen", "good"], unfrozen: ["Unfrozen", ""], held: ["Withdrawals held", "good"], released: ["Released", ""],
  pending: ["Awaits approval", "warn"], approved: ["Approved", "warn"], intended: ["Freezing…", "warn"],
  unfreeze_intended: ["Unfreezing…", "warn"], failed: ["Freeze failed", "bad"], unfreeze_failed: ["Unfreeze failed", "bad"],
  would: ["Would freeze", "info"], refused: ["Not frozen", ""], rejected: ["Rejected", ""], expired: ["Approval expired", "bad"],
  cancelled: ["Cancelled", ""], replaced: ["Superseded", ""],
};

export const RULES = {
  malformed: "it could not be read", alert_type: "this type of alert freezes nothing", recommendation: "the alert recommends no freeze",
  mode: "of the mode", kill_switch: "the kill switch is on", event_age: "the order is too old: a replay can freeze nobody",
  allow_list: "it is on the allow list", severity: "the severity is too low", score: "the score is too low",
  corroboration: "too few kinds of evidence agree", open_case: "this incident is already being dealt with", cool_down: "it was unfrozen a short while ago",
  budget: "the budget is spent", breaker: "the breaker is open", approvers: "people must decide", pending_limit: "too many cases wait",
  exchange: "of the exchange's answer", time_to_live: "its time was up", no_case: "there is no such case", request: "a person asked for it", by_hand: "a person asked for it, whatever the policy says",
};

export const FEATURES = {
  pair_novelty: "New market", pair_youth: "Young acquaintance", size: "Order size", accumulation: "Gathered within a day", rate: "Order rate",
  turnover: "Turnover within a day", slippage: "Slippage", push: "Own push on the price", participation: "Share of the market",
  surge: "Volume surge", pay_up: "Pays up", sweep_breadth: "Markets sold before", sweep_funding: "Funded by a sell-off",
  app_share: "Newcomers of one app", new_sellers: "New sellers", concentration: "Few counterparties",
  round_trip_loss: "Round-trip loss", losing_streak: "Losing streak", network_novelty: "New network", app_change: "Another app",
  taker_excess: "Takes from the book", crowd: "Others look rogue, too", app_crowd: "Keys of the same app look rogue", persistence: "Persistence",
  misused_keys: "Misused keys", conduct: "Unusual conduct", rogue_fills: "Sold to leaked keys", devotion: "Sells to them alone",
};
export const EVIDENCE = { novelty: "Novelty", conduct: "Conduct", market: "Market", sweep: "Sell-off", crowd: "Crowd", counterparties: "Counterparties", loss: "Loss", access: "Access", other: "Other" };

export const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
export const words = (table, term) => table[term] ?? String(term ?? "").replaceAll("_", " ");

export function status(alert) {
  const tone = STATUS_TONES[alert.status] ?? "";
  return h(`span.tag${tone ? `.${tone}` : ""}`, {}, words(STATUSES, alert.status));
}

export function freezeTag(state) {
  if (!state) return null;
  const [text, tone] = FREEZES[state] ?? [words({}, state), ""];
  return h(`span.tag${tone ? `.${tone}` : ""}`, {}, icon("freezes"), text);
}

/** The subject of an alert: a masked key, an app, or an account. */
export function subject(alert, link = false) {
  if (alert.kind === "app_leak") return name(alert.app, 60);
  if (alert.kind === "profiteer") return name(alert.account, 60);
  return keyName(alert.key, link);
}

export function keyName(key, link = true) {
  if (!key) return h("span.faint", {}, "–");
  const shown = name(key.shown, 24, ".mono");
  return link ? h("a", { href: `/keys/${key.handle}` }, shown) : shown;
}

export function appName(app, link = true) {
  if (!app) return h("span.faint", {}, "own program");
  return link ? h("a", { href: `/app?name=${encodeURIComponent(app)}` }, name(app, 60)) : name(app, 60);
}

/** An account, and all that is known of it: the alerts that name it. */
export function accountName(account) {
  if (!account) return h("span.faint", {}, "–");
  return h("a", { href: `/?q=${encodeURIComponent(account.slice(0, 200))}` }, name(account, 40));
}

export function market(alert) {
  return h("span.market", {}, name(alert.symbol, 40), h("span.faint", {}, " ", name(alert.venue, 24)));
}
