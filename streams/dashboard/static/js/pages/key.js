// One key: its alerts, what became of them, and where the inactive-key policy has it.
import { get } from "../api.js";
import { fill, h, name, plain } from "../dom.js";
import { freezeButtons } from "../freezing.js";
import { count, dollars, time } from "../format.js";
import { icon } from "../icons.js";
import { empty, follow, missing } from "../states.js";
import { listen } from "../stream.js";
import { accountName, appName, capital, freezeTag, words } from "../words.js";
import { alertLines, freezeWords } from "./alert.js";

export async function keyPage(root, handle) {
  document.title = "Key · roguekey";
  const head = h("header.page-head");
  root.append(h("a.back", { href: "/" }, icon("back"), "Live"), head);
  const read = () => get(`/api/keys/${handle}`).catch((error) => (error.status === 404 ? null : Promise.reject(error)));
  return (await follow(root, read, (box, key) => draw(box, head, key), listen)).end;
}

function draw(box, head, key) {
  if (!key) return fill(box, missing("key"));
  document.title = `Key ${plain(key.key.shown, 20)} · roguekey`;
  fill(head, h("h1", {}, "Key ", name(key.key.shown, 24, ".mono")), freezeTag(key.freeze), h("div.actions.end", { role: "group", "aria-label": "Actions" }, freezeButtons("key", { state: key.freeze, needs: key.case?.needs ?? 0, hook: key.hook, path: `/api/keys/${key.key.handle}/freeze` })), h("p", {}, "Account ", accountName(key.account), key.apps.length ? [" · apps ", key.apps.map((app, place) => [place ? ", " : "", appName(app)])] : " · own program"));
  const own = key.alerts.filter((alert) => alert.kind === "leaked_key");
  const fact = (label, value, note) => h("div.figure", {}, h("span.label", {}, label), h("span.value", {}, value), note ? h("span.note", {}, note) : null);
  return fill(box,
    h("div.figures", {}, fact("Alerts", count(own.length)), fact("Most at risk", dollars(Math.max(0, ...own.map((alert) => alert.money)))), fact("Lifecycle", key.phase ? capital(words({}, key.phase)) : "In use"), fact("Freeze actions", count(key.freezes.length))),
    h("div.two.even", {},
      h("section.card", {}, h("header", {}, h("h2", {}, "Alerts"), h("span.more", {}, "newest first")), key.alerts.length ? alertLines(key.alerts) : empty("No alert", "This key was never alerted.", "shield")),
      h("div.column", {},
        h("section.card", {}, h("header", {}, h("h2", {}, "Freezes")), key.freezes.length ? h("ol.timeline", {}, key.freezes.map((entry) => h("li.plain", {}, h("span.when.mono", {}, time(entry.ts, { withDate: true })), h("span.what", {}, h("b", {}, freezeWords(entry)), entry.who !== "policy" ? h("span.dim", {}, " · ", name(entry.who, 30)) : null, h("span.note.dim", {}, plain(entry.why, 300)))))) : empty("Never touched", null, "freezes")),
        h("section.card", {}, h("header", {}, h("h2", {}, "Lifecycle")), key.lifecycle.length ? h("ol.timeline", {}, key.lifecycle.map((entry) => h("li.plain", {}, h("span.when.mono", {}, time(entry.ts, { withDate: true })), h("span.what", {}, h("b", {}, capital(words({}, entry.kind))), h("span.note.dim", {}, plain(entry.text, 300)))))) : empty("In use", "The inactive-key policy has said nothing about this key.", "inactive")))));
}
