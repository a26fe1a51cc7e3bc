// One alert: what happened, why the system believes it, and what to do about it.
import { get, may, myName, post } from "../api.js";
import { drawChart, legend, READOUT } from "../chart.js";
import { askReason, toast } from "../dialogs.js";
import { fill, h, name, plain } from "../dom.js";
import { freezeButtons } from "../freezing.js";
import { ageOf, clock, count, date, dollars, number, rarity, span, time, usd } from "../format.js";
import { icon, severity } from "../icons.js";
import { empty, loading, missing } from "../states.js";
import { listen } from "../stream.js";
import { accountName, ACTIONS, appName, EVIDENCE, FEATURES, freezeTag, keyName, KINDS, RULES, status, subject, words } from "../words.js";

export async function alertPage(root, id) {
  fill(root, loading());
  let alert;
  try {
    alert = await get(`/api/alerts/${id}`);
  } catch (error) {
    if (error.status !== 404) throw error;
    fill(root, missing("alert"));
    return null;
  }
  document.title = `${words(KINDS, alert.kind)} ${plain(alert.key?.shown ?? alert.app ?? alert.account, 30)} · roguekey`;
  const head = h("div.alert-head");
  const facts = h("div.figures.alert-facts");
  const chartCard = h("section.card", { "aria-labelledby": "chart-title" });
  const left = h("div.column");
  const right = h("div.column");
  fill(root, head, facts, h("div.two", {}, left, right));
  let chart = null;
  let drawn = "";

  function draw() {
    fill(head, headOf(alert, refresh));
    fill(facts, factsOf(alert));
    fill(left, chartCard, whyCard(alert), othersCard(alert));
    fill(right, timelineCard(alert), keysCard(alert), evidenceCard(alert), rawCard(alert));
  }

  async function readChart() {
    const data = await get(`/api/alerts/${id}/chart`).catch((error) => ({ error, bars: [] }));
    if (!root.isConnected) return;
    const text = JSON.stringify(data.bars) + data.taken?.length;
    if (drawn === text && !data.error) return;
    if (drawn && data.error) return; // what is drawn stays
    drawn = text;
    chart?.close();
    chart = chartInto(chartCard, data, alert);
  }

  async function refresh() {
    const next = await get(`/api/alerts/${id}`).catch(() => null);
    if (next && root.isConnected && JSON.stringify(next) !== JSON.stringify(alert)) {
      alert = next;
      draw();
    }
  }

  fill(chartCard, h("header", {}, h("h2", {}, "Market")), loading().firstChild);
  draw();
  readChart();

  let timer = 0;
  const end = listen((kind, data) => {
    const ours = kind === "reset" || (kind === "alerts" && data.some((row) => row.id === id || row.symbol === alert.symbol || (row.app && row.app === alert.app)));
    if (ours) timer ||= setTimeout(() => { timer = 0; refresh(); }, 150);
  });
  const later = setInterval(() => !document.hidden && readChart(), 15000); // while its window is still open
  const onKey = (event) => {
    if (event.target.closest?.("input, textarea, select, dialog") || event.metaKey || event.ctrlKey || event.altKey || document.querySelector("dialog[open]")) return;
    if (event.key === "Escape") history.length > 1 ? history.back() : dispatchEvent(new CustomEvent("go", { detail: "/" }));
    if (event.key === "c" && may("analyst")) claim(alert);
  };
  document.addEventListener("keydown", onKey);
  return () => {
    end();
    clearInterval(later);
    clearTimeout(timer);
    chart?.close();
    document.removeEventListener("keydown", onKey);
  };
}

const CLAIMS = {
  leaked_key: (alert) => ["looks stolen: it trades ", name(alert.symbol, 40), " on ", name(alert.venue, 24), " unlike its owner"],
  app_leak: () => ["leaks: too many of its keys are misused for it to be chance"],
  profiteer: (alert) => ["sells ", name(alert.symbol, 40), " into what leaked keys buy"],
};

function headOf(alert, refresh) {
  const kind = { leaked_key: "Key ", app_leak: "App ", profiteer: "Account " }[alert.kind];
  return [
    h("a.back", { href: "/" }, icon("back"), "Live"),
    h("div.title", {},
      h("div.line", {}, severity(alert.severity), h("span.dim", {}, words(KINDS, alert.kind)), status(alert), freezeTag(alert.freeze)),
      h("h1", {}, kind, subject(alert, true), " ", CLAIMS[alert.kind](alert)),
      h("p.dim", {},
        alert.kind === "leaked_key" ? ["Account ", accountName(alert.account), " · app ", appName(alert.app), " · "] : null,
        "order of ", time(alert.event_ts, { withDate: true, millis: true }), " UTC",
        alert.assignee ? [" · ", icon("user"), " ", name(alert.assignee, 30)] : null,
        alert.decided_by ? [" · decided by ", name(alert.decided_by, 30)] : null)),
    actions(alert, refresh),
  ];
}

async function claim(alert) {
  const step = alert.assignee === myName() ? "released" : "claimed";
  const also = alert.related.subject;
  try {
    await post(`/api/alerts/${alert.id}/claim`, { step, also });
    const more = also.length ? `, with ${others(also.length)} on this ${SUBJECTS[alert.kind]}` : "";
    toast(step === "claimed" ? `It is yours${more}.` : `Given back${more}.`);
  } catch (error) {
    toast(error.message, true);
  }
}

const SUBJECTS = { leaked_key: "key", profiteer: "account", app_leak: "app" };

function actions(alert) {
  const button = (label, drawn, kind, onclick, role, why = null) => h(`button.button${kind}`, { type: "button", onclick, disabled: !may(role) || Boolean(why), title: why ?? (may(role) ? null : `takes the role ${role}`) }, icon(drawn), label);
  const decided = alert.status === "confirmed" || alert.status === "false_alarm";
  const box = h("div.actions", { role: "group", "aria-label": "Actions" });
  const mine = alert.assignee === myName();
  box.append(button(mine ? "Give back" : alert.assignee ? "Take over" : "Claim", "hand", "", () => claim(alert), "analyst"));
  const idle = alert.status === "false_alarm" && !["frozen", "held", "pending", "approved", "failed", "unfreeze_failed"].includes(alert.freeze);
  if (!idle) box.append(...freezeButtons(SUBJECTS[alert.kind], { state: alert.freeze, needs: alert.case?.needs ?? 0, hook: alert.hook, path: `/api/alerts/${alert.id}/freeze` }));
  if (decided) box.append(button("Reopen", "back", "", () => decide(alert, "withdrawn"), "analyst"));
  else box.append(button(CONFIRM[alert.kind], "check", ".primary", () => decide(alert, "confirmed"), "analyst"), button("False alarm", "cross", "", () => decide(alert, "false_alarm"), "analyst"));
  if (!decided) box.append(alert.status === "snoozed" ? button("Wake", "sleep", "", () => snooze(alert, true), "analyst") : button("Snooze", "sleep", "", () => snooze(alert, false), "analyst"));
  box.append(button("Note", "note", "", () => askReason({ title: "Write a note", text: "It stands on the timeline, for whoever looks next.", label: "Note", action: "Note", act: (reason) => post(`/api/alerts/${alert.id}/note`, { reason }) }), "analyst"));
  return box;
}

const DECISIONS = {
  confirmed: { title: "Confirm the alert", text: "This becomes a label from which thresholds are tuned.", action: "Confirm", presets: ["Owner did not place these orders", "Same sellers as in another incident", "App confirmed the breach"], done: "Confirmed." },
  false_alarm: { title: "Call it a false alarm", text: "This becomes a label from which thresholds are tuned.", action: "False alarm", presets: ["Owner confirmed the orders", "Known signal or copy-trading bot", "Own program under test"], done: "Called a false alarm." },
  withdrawn: { title: "Reopen the alert", text: "What was decided is taken back; the alert is open again.", action: "Reopen", presets: ["New information"], done: "Open again." },
};

function decide(alert, outcome) {
  const { element, chosen } = outcome === "withdrawn" ? { element: null, chosen: () => [] } : alsoFields(alert);
  const dialog = { ...DECISIONS[outcome], ...(outcome === "confirmed" ? { action: CONFIRM[alert.kind] } : {}) };
  askReason({ ...dialog, extra: element, act: (reason) => post(`/api/alerts/${alert.id}/decision`, { outcome, reason, also: chosen() }) });
}

const CONFIRM = { leaked_key: "Confirm leak", app_leak: "Confirm leak", profiteer: "Confirm profiteer" };
const others = (many) => `${count(many)} other alert${many === 1 ? "" : "s"}`;

// One decision for all that it settles: an incident raises many alerts, and people decide on incidents.
function alsoFields(alert) {
  const { subject: own, incident, keys } = alert.related;
  const box = (ids, checked, text) => {
    const input = h("input", { type: "checkbox", checked });
    return { input, ids, label: h("label.check", {}, input, text) };
  };
  const boxes = [
    own.length ? box(own, true, `and the ${others(own.length)} on this ${SUBJECTS[alert.kind]}`) : null,
    incident.length ? box(incident, false, `and ${others(incident.length)} on ${count(keys)} ${alert.kind === "leaked_key" ? "other " : ""}key${keys === 1 ? "" : "s"} of this incident`) : null,
  ].filter(Boolean);
  const chosen = () => boxes.filter((one) => one.input.checked).flatMap((one) => one.ids);
  return { element: boxes.length ? h("div.checks", {}, boxes.map((one) => one.label)) : null, chosen };
}

function snooze(alert, wake) {
  if (wake) return askReason({ title: "Wake the alert", action: "Wake", done: "Awake.", act: (reason) => post(`/api/alerts/${alert.id}/snooze`, { minutes: 0, reason }) });
  const choices = [[15, "15 minutes"], [60, "1 hour"], [240, "4 hours"], [1440, "1 day"]];
  const extra = h("label", {}, "For how long", h("select.field", { name: "minutes" }, choices.map(([value, label]) => h("option", { value, selected: value === 60 }, label))));
  return askReason({ title: "Snooze the alert", action: "Snooze", extra, presets: ["Waiting for the owner to answer", "Waiting for the app's answer"], done: "Snoozed.", act: (reason, form) => post(`/api/alerts/${alert.id}/snooze`, { minutes: Number(form.get("minutes")), reason }) });
}

function factsOf(alert) {
  const fact = (label, value, note, tone = "") => h("div.figure", {}, h("span.label", {}, label), h(`span.value${tone}`, {}, value), note ? h("span.note", {}, note) : null);
  const named = alert.kind === "leaked_key" ? null : fact("Keys", count(alert.keys.length), alert.kind === "app_leak" ? "look leaked" : "paid this account");
  return [
    fact("Money at risk", dollars(alert.money), alert.kind === "profiteer" ? "received from leaked keys" : "in suspect orders so far"),
    fact("Rarity", rarity(alert.score), alert.kind === "leaked_key" ? `key-days; alert from ${rarity(alert.threshold)}` : "by chance", `.${alert.severity}`),
    named,
    alert.impact_bps ? fact("Moved against it", `${number(alert.impact_bps)} bp`, "price, weighted by money") : null,
    fact("Raised", [ageOf(alert.raised_ts), " ago"], [time(alert.raised_ts, { withDate: true }), " UTC"]),
    fact("Recommended", words(ACTIONS, alert.action), alert.freeze ? freezeTag(alert.freeze) : "nothing done yet"),
  ];
}

function chartInto(card, data, alert) {
  const head = h("header", {}, h("h2", { id: "chart-title" }, name(alert.symbol, 40), " on ", name(alert.venue, 24)), h("span.more", {}, data.bars.length ? `${date(data.from_ts)}, UTC` : null));
  if (!data.bars.length) {
    fill(card, head, empty("No price history", data.error?.status === 404 ? "The orders around this alert are no longer on the topic." : data.error?.message ?? "There were no fills.", "calm"));
    return null;
  }
  const box = h("div.chart", { role: "img", "aria-label": chartInWords(data, alert) });
  fill(card, head, legend(data, alert), box, h("div.readout.faint", {}, READOUT));
  return drawChart(box, data, alert);
}

function chartInWords(data, alert) {
  const first = data.bars[0][3];
  const highest = Math.max(...data.bars.map((bar) => bar[2]));
  return `Price of ${plain(alert.symbol, 40)} from ${clock(data.from_ts)} to ${clock(data.to_ts)} UTC: from ${number(first)} to at most ${number(highest)}. ` +
    `${data.buys.length} buys of the suspect keys, ${data.taken.length} sells of ${data.sellers.length} accounts that sold to them.`;
}

function whyCard(alert) {
  return h("section.card", { "aria-labelledby": "why-title" },
    h("header", {}, h("h2", { id: "why-title" }, "Why"), h("span.more", {}, "strongest first; each beside what is usual")),
    h("ol.reasons", {}, alert.reasons.map(reasonRow)));
}

// Value and usual on one scale; where they lie far apart, one of powers of ten.
function reasonRow(reason) {
  const most = Math.max(Math.abs(reason.value), Math.abs(reason.typical));
  const least = Math.min(Math.abs(reason.value), Math.abs(reason.typical));
  const far = least > 0 && most / least > 30;
  const floor = least / 3;
  const length = (value) => {
    if (!most) return 0;
    if (!far) return Math.abs(value) / most;
    return Math.log(Math.max(Math.abs(value), floor) / floor) / Math.log(most / floor);
  };
  const bar = (kind, label, value) => h(`div.bar.${kind}`, {}, h("span.label", {}, label), h("span.track", {}, h("i", { style: { width: `${Math.max(1, 100 * length(value)).toFixed(1)}%` } })), h("span.value", {}, number(value)));
  return h("li", {},
    h("div.what", {}, h("b", {}, words(FEATURES, reason.feature)), reason.kind === "other" ? null : h("span.tag", {}, words(EVIDENCE, reason.kind)), h("span.share.dim", { title: "its share of the score" }, `${Math.round(100 * reason.contribution)} %`)),
    h("p", {}, plain(reason.text, 400)),
    h("div.bars", { title: far ? "on a scale of powers of ten" : null }, bar("now", "now", reason.value), bar("usual", "usual", reason.typical)));
}

const TOLD = {
  first_order: "First suspect order", alert_order: "Order that raised the alert", raised: "Alert raised", claimed: "Claimed", released: "Given back", snoozed: "Snoozed", woken: "Woken", noted: "Note",
  confirmed: "Leak confirmed", false_alarm: "Called a false alarm", withdrawn: "Reopened",
};
export const ACTS = { freeze_key: "Freeze", unfreeze_key: "Unfreeze", freeze_app: "Freeze of the app", hold_withdrawals: "Hold of withdrawals", release_withdrawals: "Release of withdrawals", breaker: "Breaker", kill_switch: "Kill switch", review: "Review" };
const OUTCOMES = { would: "would be done (dry-run)", pending: "awaits approval", intended: "ordered", done: "done", failed: "failed", refused: "refused", approved: "approved", rejected: "rejected", expired: "expired", on: "on", off: "off", cancelled: "cancelled" };
const TONES = { done: "good", failed: "bad", confirmed: "bad", raised: "alert", false_alarm: "good", pending: "warn" };

export const freezeWords = (entry) => `${words(ACTS, entry.act)} ${words(OUTCOMES, entry.outcome)}`;

function timelineCard(alert) {
  const steps = alert.timeline;
  return h("section.card", { "aria-labelledby": "time-title" }, h("header", {}, h("h2", { id: "time-title" }, "Timeline"), h("span.more", {}, "UTC")),
    h("ol.timeline", {}, steps.map((step, place) => {
      const what = step.what === "freeze" ? freezeWords(step) : words(TOLD, step.what);
      const before = place && steps[place - 1].clock === step.clock ? step.ts - steps[place - 1].ts : null;
      return h(`li.${TONES[step.outcome ?? step.what] ?? "plain"}`, {}, h("span.when.mono", {}, time(step.ts, { millis: step.clock === "event" }), before !== null ? h("span.faint", {}, ` +${span(before)}`) : null),
        h("span.what", {}, h("b", {}, what), step.rule && step.outcome === "refused" ? h("span.dim", {}, ` because ${words(RULES, step.rule)}`) : null,
          step.until > 0 ? h("span.dim", {}, ` until ${clock(step.until)}`) : null,
          step.who && step.who !== "policy" ? h("span.dim", {}, " · ", name(step.who, 30)) : null, step.note ? h("span.note.dim", {}, plain(step.note, 300)) : null));
    })));
}

function keysCard(alert) {
  if (alert.kind === "leaked_key") {
    return h("section.card", { "aria-labelledby": "key-title" }, h("header", {}, h("h2", { id: "key-title" }, "Key")),
      h("dl.pairs-list", {}, row("Key", keyName(alert.key)), row("Account", accountName(alert.account)), row("App", appName(alert.app)),
        row("Lifecycle", alert.lifecycle ? [words({}, alert.lifecycle.phase ?? alert.lifecycle.kind), h("span.note.dim", {}, plain(alert.lifecycle.text, 200))] : "in use")));
  }
  return h("section.card", { "aria-labelledby": "key-title" }, h("header", {}, h("h2", { id: "key-title" }, "Keys"), h("span.more", {}, count(alert.keys.length))),
    h("ul.lines", {}, alert.keys.slice(0, 40).map((each) => h("li", {}, keyName(each.key), h("span.grow.dim.cut", {}, name(each.symbol ?? "", 24)), freezeTag(each.freeze), each.alert ? h("a.num", { href: `/alerts/${each.alert}` }, usd(each.money ?? 0)) : null))));
}

const row = (label, value) => h("div", {}, h("dt.dim", {}, label), h("dd", {}, value));

function othersCard(alert) {
  const own = alert.incident.filter((other) => other.id !== alert.id);
  const ids = new Set(own.map((other) => other.id));
  const fellows = alert.fellows.filter((other) => !ids.has(other.id));
  if (!own.length && !fellows.length) return h("section.card", {}, h("header", {}, h("h2", {}, "Others of this incident")), empty("Nobody else", "No other key was alerted in this market or app at this time.", "calm"));
  return h("section.card", { "aria-labelledby": "others-title" }, h("header", {}, h("h2", { id: "others-title" }, "Others of this incident"), h("span.more", {}, `${count(own.length)} alerts in this market, ${count(fellows.length)} more of this app`)),
    own.length ? [h("h3.sub", {}, "In this market, within half an hour"), subjectLines(own)] : null,
    fellows.length ? [h("h3.sub", {}, "Of the app ", name(alert.app, 40), ", within a day"), subjectLines(fellows)] : null);
}

const RANK = { critical: 4, high: 3, medium: 2, low: 1 };
const FIRST = 10; // lines until somebody asks for all

/** A line for each key, app or account, with its severest alert; the worst come first. */
function subjectLines(alerts) {
  const groups = new Map();
  for (const alert of alerts) {
    const id = `${alert.kind} ${alert.key?.handle ?? (alert.kind === "app_leak" ? alert.app : alert.account)}`;
    const known = groups.get(id);
    const worse = !known || RANK[alert.severity] > RANK[known.severity] || (alert.severity === known.severity && alert.n > known.n);
    groups.set(id, { ...(worse ? alert : known), many: (known?.many ?? 0) + 1 });
  }
  const lines = [...groups.values()].sort((a, b) => RANK[b.severity] - RANK[a.severity] || b.money - a.money);
  const list = alertLines(lines.slice(0, FIRST));
  if (lines.length <= FIRST) return list;
  const more = h("button.button.small.quiet.more-lines", { type: "button", onclick: () => {
    list.replaceWith(alertLines(lines));
    more.remove();
  } }, `Show all ${count(lines.length)}`);
  return [list, more];
}

export function alertLines(alerts) {
  return h("ul.lines", {}, alerts.map((other) => h("li", {}, severity(other.severity, false), h("a", { href: `/alerts/${other.id}` }, subject(other)), h("span.grow.cut.dim", {}, other.kind === "leaked_key" ? [name(other.symbol, 30), " · ", other.app ? name(other.app, 24) : "own program"] : words(KINDS, other.kind), other.many > 1 ? ` · ${count(other.many)} alerts` : null),
    h("span.faint", {}, time(other.event_ts)), status(other), freezeTag(other.freeze), h("span.num.amount", {}, usd(other.money)))));
}

function evidenceCard(alert) {
  const places = alert.places?.events ?? [];
  const events = alert.evidence.event_ids;
  return h("section.card", { "aria-labelledby": "evidence-title" }, h("header", {}, h("h2", { id: "evidence-title" }, "Evidence"), h("span.more", {}, `${count(events.length)} order${events.length === 1 ? "" : "s"}, strongest first`)),
    h("div.scroll.evidence", { tabindex: 0, "aria-label": "Orders that weighed most" }, h("table.grid.tight", {}, h("thead", {}, h("tr", {}, h("th", {}, "Event id"), h("th.num", {}, "Partition"), h("th.num", {}, "Offset"))),
      h("tbody", {}, events.map((event, place) => h("tr", {}, h("td.mono", {}, name(event, 40)), h("td.num.mono", {}, places[place]?.partition ?? "–"), h("td.num.mono", {}, places[place]?.offset ?? "–")))))),
    h("dl.pairs-list", {}, row("Topic", name(alert.places?.topic ?? "–", 80)), row("From, to", [time(alert.evidence.from_ts, { millis: true }), " – ", time(alert.evidence.to_ts, { millis: true })]), row("Alert at offset", h("span.mono", {}, alert.record.offset)), row("Model", h("span.mono", {}, name(alert.model, 40))), row("Config", h("span.mono", {}, name(alert.config, 40)))));
}

function rawCard(alert) {
  return h("details.card.raw", {}, h("summary", {}, "CloudEvent, keys masked"), h("pre.mono", { tabindex: 0 }, plainJson(alert.record.cloudevent)));
}

function plainJson(value) {
  return JSON.stringify(value, null, 2).split("\n").map((line) => plain(line, 400)).join("\n");
}

