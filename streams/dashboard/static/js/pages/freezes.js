// What the freeze hook may do, what waits for somebody, and all that it ever did.
import { get, may } from "../api.js";
import { askReason } from "../dialogs.js";
import { fill, h, name, plain } from "../dom.js";
import { age, count, now, time, usd } from "../format.js";
import { askCase, askSwitch } from "../freezing.js";
import { icon, severity } from "../icons.js";
import { empty, follow } from "../states.js";
import { listen } from "../stream.js";
import { appName, keyName, RULES, words } from "../words.js";
import { ACTS, freezeWords } from "./alert.js";

const MODES = {
  off: ["bad", "Off", "Every freeze is refused."],
  "dry-run": ["warn", "Dry run", "The hook decides and tells; it calls nobody."],
  approve: ["good", "Approve", "Every freeze waits for a person."],
  auto: ["good", "Auto", "The hook freezes by itself, within its policy and its budgets."],
};
const TONES = { done: "good", failed: "bad", pending: "warn", intended: "warn", would: "info", expired: "bad", on: "bad" };

export async function freezesPage(root) {
  document.title = "Freezes · roguekey";
  root.append(h("header.page-head", {}, h("h1", {}, "Freezes"), h("p", {}, "Keys are frozen, never accounts. Every decision stands in a chain of hashes, so that tampering shows.")));
  return (await follow(root, () => get("/api/freezes"), draw, listen)).end;
}

function draw(box, data) {
  const [tone, label, text] = MODES[data.mode] ?? ["warn", "Not heard of yet", "The freeze hook has decided nothing so far; roguekey freeze-hook starts it."];
  const stopped = data.kill_switch?.outcome === "on";
  const open = data.breaker?.outcome === "on";
  const fact = (title, value, note, alarm) => h("div.figure", {}, h("span.label", {}, title), h(`span.value${alarm ? ".critical" : ""}`, {}, value), note ? h("span.note", {}, note) : null);
  return fill(box,
    h(`div.banner.${stopped ? "bad" : tone}`, {}, icon(stopped ? "stop" : "freezes"), h("div.grow", {}, h("b", {}, stopped ? "Stopped: nothing is frozen" : `Mode: ${label}`), h("p.dim", {}, stopped ? plain(data.kill_switch.why, 300) : text)),
      stopped || open ? act("Resume", "resume") : act("Stop all freezing", "stop")),
    h("div.figures", {}, fact("Await approval", count(data.pending.length)), data.budgets.map(budget),
      fact("Breaker", open ? "Open" : "Closed", open ? plain(data.breaker.why, 120) : "auto may go on", open)),
    data.policy.in_use && data.policy.in_use !== data.policy.here ? h("div.banner.warn", {}, icon("high"), h("div.grow", {}, h("b", {}, "The hook runs another policy"), h("p.dim", {}, `Its last decision was made under policy ${plain(data.policy.in_use, 20)}; the budgets shown here are those of ${plain(data.policy.here, 20)}, which the settings of this dashboard name (freeze_policy).`))) : null,
    h("section.card", {}, h("header", {}, h("h2", {}, "Budgets of apps"), h("span.more", {}, `${count(data.per_app_hour)} an hour each; beyond, only this app's keys need approval`)), data.app_budgets.length ? h("ul.lines.meters", {}, data.app_budgets.map(appBudget)) : h("p.body.dim", {}, "Nothing was frozen by the hook within the hour: every app has all of its budget left.")),
    h("section.card", {}, h("header", {}, h("h2", {}, "Await approval"), h("span.more", {}, count(data.pending.length))), data.pending.length ? h("ul.lines", {}, data.pending.map(pendingLine)) : empty("Nothing waits", null, "check")),
    h("section.card", {}, h("header", {}, h("h2", {}, "Audit"), h("span.more", {}, `${count(data.entries)} entries, newest first`)), data.audit.length ? h("div.scroll", { tabindex: 0, "aria-label": "Audit" }, h("table.grid", {}, h("thead", {}, h("tr", {}, h("th.num", {}, "No."), h("th", {}, "Time"), h("th", {}, "What"), h("th", {}, "Whom"), h("th", {}, "By"), h("th", {}, "Why"), h("th", {}, "Alert"))),
      h("tbody", {}, data.audit.map((entry) => h("tr", {}, h("td.num.mono", {}, entry.seq), h("td", {}, time(entry.ts, { withDate: true })), h("td", {}, h(`span.tag.${TONES[entry.outcome] ?? "plain"}`, {}, freezeWords(entry))), h("td", {}, whom(entry)), h("td", {}, name(entry.who, 30)),
        h("td.dim", {}, plain(entry.why || words(RULES, entry.rule), 200)), h("td", {}, entry.alert ? h("a", { href: `/alerts/${entry.alert}` }, "open") : "–")))))) : empty("Nothing decided yet", null, "freezes")));
}

// What the hook froze by itself within a stretch of time, beside what it may.
function budget(one) {
  const left = Math.max(0, one.most - one.spent);
  return h("div.figure", {}, h("span.label", {}, `Left this ${one.span}`), h(`span.value${left ? "" : ".critical"}`, {}, count(left), h("small.dim", {}, ` of ${count(one.most)}`)),
    h("span.scale.low", { "aria-hidden": "true" }, h("i.fill", { style: { width: `${one.most ? (100 * left) / one.most : 0}%` } })));
}

function appBudget(one) {
  const left = Math.max(0, one.most - one.spent);
  return h("li", {}, h("span.grow.cut", {}, appName(one.app)), h(`span.scale.${left ? "low" : "critical"}`, { "aria-hidden": "true" }, h("i.fill", { style: { width: `${one.most ? (100 * left) / one.most : 0}%` } })),
    h(`b.num${left ? "" : ".critical"}`, {}, count(left), h("small.dim", {}, ` of ${count(one.most)} left`)));
}

const whom = (entry) => (entry.key ? keyName(entry.key) : entry.app ? appName(entry.app) : entry.account ? name(entry.account, 30) : "–");

function pendingLine(entry) {
  const ask = (what, title, danger) => h(`button.button.small${danger ? ".warn" : ""}`, { type: "button", disabled: !may("approver"), onclick: () => askReason({ title, action: title, danger, presets: ["Owner did not place these orders", "Owner confirmed the orders"], act: (reason) => askCase(entry.case, what, reason) }) }, title);
  return h("li", {}, entry.severity ? severity(entry.severity, false) : null, h("b", {}, words(ACTS, entry.act)), whom(entry), entry.symbol ? name(entry.symbol, 30) : null,
    h("span.grow.cut.dim", {}, plain(entry.why, 160)), entry.money ? h("b.num", {}, usd(entry.money)) : null, entry.until ? h("span.dim.nowrap", {}, `${age(entry.until - now())} left`) : null,
    entry.alert ? h("a", { href: `/alerts/${entry.alert}` }, "alert") : null, ask("approve", "Approve", true), ask("reject", "Reject", false));
}

function act(label, ask) {
  const stop = ask === "stop";
  return h(`button.button${stop ? "" : ".primary"}`, { type: "button", disabled: !may("approver"), title: may("approver") ? null : "takes the role approver", onclick: () => askReason({
    title: stop ? "Stop all freezing" : "Resume freezing", text: stop ? "The hook refuses every freeze until somebody resumes." : "The stop is taken back, and the breaker is closed.", action: label, danger: stop, act: (reason) => askSwitch(ask, reason) }) }, label);
}
