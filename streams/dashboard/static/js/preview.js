// Beside the list, where there is room: the alert that is chosen, without leaving the list.
import { get } from "./api.js";
import { fill, h, name, plain } from "./dom.js";
import { dollars, rarity, time } from "./format.js";
import { severity } from "./icons.js";
import { drawChart } from "./chart.js";
import { ACTIONS, freezeTag, KINDS, market, status, subject, words } from "./words.js";

const WAIT_MS = 180; // whoever runs through the list with j wants no charts

export function preview() {
  const element = h("aside.preview.card", { "aria-label": "Chosen alert" });
  let timer = 0;
  let shown = "";
  let chart = null;
  const isVisible = () => getComputedStyle(element).display !== "none";

  function show(row) {
    if (!isVisible()) return;
    const again = shown === row.id;
    shown = row.id;
    const box = again ? element.querySelector(".small-chart") : h("div.small-chart");
    fill(element,
      h("header", {}, severity(row.severity), h("span.dim", {}, words(KINDS, row.kind)), h("a.button.small.more", { href: `/alerts/${row.id}` }, "Open")),
      h("div.body", {},
        h("p.big", {}, subject(row)),
        h("p.dim", {}, market(row), row.account && row.kind === "leaked_key" ? [" · account ", name(row.account, 24)] : null),
        h("div.pairs", {}, pair("At risk", dollars(row.money)), pair("Rarity", rarity(row.score)), pair("Alert from", rarity(row.threshold)), pair("Order at", time(row.event_ts, { withDate: true }))),
        box,
        h("ul.why", {}, row.reasons.map((reason) => h("li", {}, plain(reason, 300)))),
        h("p.tags", {}, status(row), freezeTag(row.freeze), h("span.tag", {}, words(ACTIONS, row.action)))));
    if (again) return;
    clearTimeout(timer);
    chart?.close();
    chart = null;
    timer = setTimeout(async () => {
      const data = await get(`/api/alerts/${row.id}/chart`).catch(() => null);
      if (shown === row.id && data && box.isConnected) chart = drawChart(box, data, row, { height: 170, small: true });
    }, WAIT_MS);
  }

  return { element, show, isVisible, close: () => { clearTimeout(timer); chart?.close(); } };
}

const pair = (label, value) => h("div", {}, h("span.label", {}, label), h("b", {}, value));
