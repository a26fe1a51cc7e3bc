// Keys that nobody uses, and how far the policy is with them.
import { get } from "../api.js";
import { fill, h, name, plain } from "../dom.js";
import { age, count, now, time } from "../format.js";
import { icon } from "../icons.js";
import { empty, follow } from "../states.js";
import { listen } from "../stream.js";
import { capital, keyName, words } from "../words.js";

const TONES = { notice: "warn", notice_failed: "bad", confirmation: "warn", removal: "bad", removal_failed: "bad", rescue: "good", late_use: "bad" };
const KINDS = { notice: "Notified", notice_failed: "Notice failed", confirmation: "Removal confirmed", removal: "Removed", removal_failed: "Removal failed", rescue: "Rescued", late_use: "Used after removal" };

export async function inactivePage(root) {
  document.title = "Inactive keys · roguekey";
  root.append(h("header.page-head", {}, h("h1", {}, "Inactive keys"), h("p", {}, "An open key that nobody uses is a key that nobody misses. Its owner is told; when the business days are over, it is removed; any use rescues it.")));
  return (await follow(root, () => get("/api/inactive"), draw, listen)).end;
}

function draw(box, data) {
  const banner = data.hold ? h("div.banner.bad", {}, icon("stop"), h("div.grow", {}, h("b", {}, "The policy is on hold"), h("p.dim", {}, plain(data.hold.text, 300)))) : null;
  const mode = data.mode === "dry-run" ? h("div.banner.warn", {}, icon("inactive"), h("div.grow", {}, h("b", {}, "Dry run"), h("p.dim", {}, "Nobody is told, nothing is removed; the page shows what would happen."))) : null;
  if (!data.keys.length) return fill(box, banner, mode, h("div.card", {}, empty("No inactive keys", "Keys without an IP restriction that nobody has used for long stand here, once roguekey lifecycle has found them.", "inactive")));
  return fill(box, banner, mode,
    h("div.figures", {}, Object.entries(data.counts).map(([phase, many]) => h("div.figure", {}, h("span.label", {}, capital(words({}, phase))), h("span.value", {}, count(many))))),
    h("section.card", {}, h("div.scroll", { tabindex: 0, "aria-label": "Inactive keys" }, h("table.grid", {}, h("thead", {}, h("tr", {}, ["Key", "Account", "State", "Last used", "Notified", "Removal due", "Last word"].map((column) => h("th", {}, column)))),
      h("tbody", {}, data.keys.map((key) => h("tr", {}, h("td", {}, keyName(key.key)), h("td", {}, name(key.account, 30)), h("td", {}, h(`span.tag.${TONES[key.kind] ?? "plain"}`, {}, words(KINDS, key.kind))),
        h("td", {}, key.last_use ? time(key.last_use, { withDate: true }) : "never seen"), h("td", {}, time(key.notified_at, { withDate: true })), h("td", {}, due(key)), h("td.dim", {}, plain(key.text, 200)))))))));
}

function due(key) {
  if (!key.removal_due || key.kind === "removal" || key.kind === "rescue") return "–";
  const left = key.removal_due - now();
  return [time(key.removal_due, { withDate: true }), h("span.dim", {}, left > 0 ? ` in ${age(left)}` : " due")];
}
