// Profiteers: accounts that sell into what leaked keys buy.
import { get } from "../api.js";
import { fill, h, name } from "../dom.js";
import { ageOf, count, usd } from "../format.js";
import { severity } from "../icons.js";
import { empty, follow } from "../states.js";
import { listen } from "../stream.js";
import { freezeTag, keyName, market, status } from "../words.js";

export async function profiteersPage(root) {
  document.title = "Profiteers · roguekey";
  root.append(h("header.page-head", {}, h("h1", {}, "Profiteers"), h("p", {}, "Accounts that sell into what leaked keys buy: where the money goes. Those who received most come first.")));
  return (await follow(root, () => get("/api/profiteers"), draw, listen)).end;
}

function draw(box, accounts) {
  if (!accounts.length) return fill(box, h("div.card", {}, empty("Nobody yet", "An account that sells to several leaked keys stands here.", "profiteers")));
  return fill(box, h("section.card", {}, h("div.scroll", { tabindex: 0, "aria-label": "Profiteers" }, h("table.grid", {}, h("thead", {}, h("tr", {}, h("th", {}, "Account"), h("th", {}, "Severity"), h("th.num", {}, "Received"), h("th", {}, "From keys"), h("th", {}, "Market"), h("th", {}, "Status"), h("th.num", {}, "Alerts"), h("th", {}, "Last"))),
    h("tbody", {}, accounts.map((one) => h("tr", {}, h("td.strong", {}, h("a", { href: `/alerts/${one.id}` }, name(one.account, 40))), h("td", {}, severity(one.severity)), h("td.num", {}, h("b", {}, usd(one.money))),
      h("td", {}, h("span.wrap", {}, one.from_keys.slice(0, 5).map((key) => keyName(key)), one.from_keys.length > 5 ? h("span.dim", {}, `and ${count(one.from_keys.length - 5)} more`) : null)),
      h("td", {}, market(one)), h("td", {}, h("span.wrap", {}, status(one), freezeTag(one.freeze))), h("td.num", {}, count(one.times)), h("td.nowrap", {}, ageOf(one.raised_ts), " ago"))))))));
}
