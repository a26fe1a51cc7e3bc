// Apps: which of them leak, and one of them with its keys.
import { get } from "../api.js";
import { fill, h, name, plain } from "../dom.js";
import { ageOf, count, date, dollars, number, time, usd } from "../format.js";
import { icon } from "../icons.js";
import { empty, follow, missing } from "../states.js";
import { listen } from "../stream.js";
import { appName, freezeTag, keyName } from "../words.js";
import { alertLines } from "./alert.js";

export async function appsPage(root) {
  document.title = "Apps · roguekey";
  root.append(h("header.page-head", {}, h("h1", {}, "Apps"), h("p", {}, "An app is said to leak when too many of its keys are misused within a day for it to be chance.")));
  return (await follow(root, () => get("/api/apps"), draw, listen)).end;
}

function draw(box, apps) {
  if (!apps.length) return fill(box, h("div.card", {}, empty("No app stands out", "As soon as a key of an app is alerted, the app stands here.", "apps")));
  return fill(box, h("section.card", {}, h("div.scroll", { tabindex: 0, "aria-label": "Apps" }, h("table.grid", {}, h("thead", {}, h("tr", {},
    h("th", {}, "App"), h("th", {}, "Verdict"), h("th.num", {}, "Keys alerted"), h("th.num", {}, "Expected by chance"), h("th.num", {}, "Active keys"), h("th.num", {}, "Confirmed"), h("th.num", {}, "At risk"), h("th", {}, "Leaking since"), h("th", {}, "Last alert"))),
  h("tbody", {}, apps.map((app) => h("tr", {}, h("td.strong", {}, appName(app.app)), h("td", {}, verdict(app)), h("td.num", {}, bar(app)), h("td.num", {}, app.leak?.expected ? number(app.leak.expected) : "–"),
    h("td.num", {}, app.leak?.active ? `≈ ${count(app.leak.active)}` : "–"), h("td.num", {}, count(app.confirmed)), h("td.num", {}, usd(app.money)),
    h("td", {}, app.leak?.since ? [time(app.leak.since, { withDate: true })] : "–"), h("td.nowrap", {}, ageOf(app.last_ts), " ago"))))))));
}

const verdict = (app) => (app.leak ? h("a", { href: `/alerts/${app.leak.alert}` }, h("span.tag.bad", {}, icon(app.leak.severity), "Suspected leak")) : h("span.tag", {}, "Not suspected"));
const bar = (app) => h("b", {}, count(app.alerted));

export async function appPage(root) {
  const app = new URLSearchParams(location.search).get("name") ?? "";
  document.title = `${plain(app, 40)} · roguekey`;
  const head = h("header.page-head");
  root.append(h("a.back", { href: "/apps" }, icon("back"), "Apps"), head);
  const read = () => get(`/api/app?name=${encodeURIComponent(app)}`).catch((error) => (error.status === 404 ? null : Promise.reject(error)));
  return (await follow(root, read, (box, data) => drawOne(box, head, data), listen)).end;
}

function drawOne(box, head, app) {
  if (!app) return fill(box, missing("app"));
  fill(head, h("h1", {}, "App ", name(app.app, 80)), verdict(app));
  const fact = (label, value, note) => h("div.figure", {}, h("span.label", {}, label), h("span.value", {}, value), note ? h("span.note", {}, note) : null);
  return fill(box,
    h("div.figures", {}, fact("Keys alerted", count(app.alerted), app.leak?.expected ? `${number(app.leak.expected)} expected by chance` : null), fact("Active keys", app.leak?.active ? `≈ ${count(app.leak.active)}` : "–", "of this app, within a day"),
      fact("Confirmed", count(app.confirmed), `${count(app.false_alarms)} false alarms`), fact("Money at risk", dollars(app.money)), fact("Leaking since", app.leak?.since ? time(app.leak.since) : "–", app.leak?.since ? `${date(app.leak.since)}, UTC` : "no leak suspected")),
    h("div.two.even", {},
      h("section.card", {}, h("header", {}, h("h2", {}, "Keys"), h("span.more", {}, count(app.keys.length))), h("ul.lines", {}, app.keys.map((each) => h("li", {}, keyName(each.key), h("span.grow.cut.dim", {}, name(each.account, 30)), freezeTag(each.freeze), h("a.num.amount", { href: `/alerts/${each.alert}` }, usd(each.money)))))),
      h("section.card", {}, h("header", {}, h("h2", {}, "Alerts"), h("span.more", {}, count(app.alerts.length))), alertLines(app.alerts))));
}

