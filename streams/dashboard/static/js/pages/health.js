// Is it all running: brokers, lag, throughput, dead letters, model and config in use.
import { get } from "../api.js";
import { fill, h, plain } from "../dom.js";
import { age, clock, compact, count, number } from "../format.js";
import { icon } from "../icons.js";
import { empty, follow } from "../states.js";
import { listen } from "../stream.js";

export async function healthPage(root) {
  document.title = "Health · roguekey";
  root.append(h("header.page-head", {}, h("h1", {}, "Health"), h("p", {}, "How far the workers are, how old the last event is, and what runs.")));
  return (await follow(root, () => get("/api/health"), draw, listen)).end;
}

function draw(box, data) {
  const { pulse } = data;
  const quiet = pulse.now - (pulse.orders_moved || pulse.started);
  const behind = data.lag?.reduce((sum, one) => sum + one.behind, 0);
  const fact = (label, value, note, tone = "") => h("div.figure", {}, h("span.label", {}, label), h(`span.value${tone}`, {}, value), note ? h("span.note", {}, note) : null);
  const differs = data.model && data.in_use && data.model.model_id && data.model.model_id !== data.in_use.model;
  return fill(box,
    h("div.figures", {},
      fact("Brokers", pulse.reachable ? "Reachable" : "Unreachable", `since ${clock(pulse.since)} UTC`, pulse.reachable ? ".good" : ".critical"),
      fact("Behind", behind === undefined ? "–" : count(behind), "records that the workers have not done", behind > 10000 ? ".high" : ""),
      fact("Last event", pulse.orders_moved ? `${age(quiet)} ago` : "–", pulse.orders_moved ? `${count(pulse.orders)} on the topic` : `none for ${age(quiet)}`, quiet > 40000 ? ".high" : ""),
      fact("Throughput", compact(pulse.orders_rate), "orders per second"),
      fact("Dead letters", count(pulse.dead), "orders that were refused", pulse.dead ? "" : ".good"),
      fact("Unreadable", count(data.read_model.unreadable), "records of other topics", data.read_model.unreadable ? ".high" : "")),
    differs ? h("div.banner.warn", {}, icon("high"), h("div.grow", {}, h("b", {}, "Workers run another model"), h("p.dim", {}, `The last alert came from ${plain(data.in_use.model, 40)}; the settings of this dashboard name ${plain(data.model.model_id, 40)}.`))) : null,
    h("div.two.even", {},
      h("section.card", {}, h("header", {}, h("h2", {}, "Lag of the workers"), h("span.more", {}, "records not yet done")), data.lag === null ? empty("No answer", "The brokers did not tell.", "lost") : data.lag.length ? h("ul.lines", {}, data.lag.map((one) => h("li", {}, h("span.grow.mono.cut", {}, plain(one.topic, 80)), h("b", {}, count(one.behind))))) : empty("No worker yet", "No worker has committed anything; roguekey worker starts one.", "health")),
      h("section.card", {}, h("header", {}, h("h2", {}, "Model and config in use"), h("span.more", {}, "as the last alert says")), h("dl.pairs-list", {},
        pair("Model", data.in_use?.model ?? "no alert yet"), pair("Config", data.in_use?.config ?? "–"), pair("Threshold", data.in_use ? number(data.in_use.threshold) : "–"),
        data.model ? Object.entries(data.model).filter(([key]) => key !== "model_id").map(([key, value]) => pair(key.replaceAll("_", " "), String(value).length > 24 ? `${String(value).slice(0, 16)}…` : value)) : pair("Artifact", "not at hand here")))),
    h("section.card", {}, h("header", {}, h("h2", {}, "Workers"), h("span.more", {}, "their own metrics")), data.workers.map(worker)),
    h("section.card", {}, h("header", {}, h("h2", {}, "This dashboard")), h("dl.pairs-list", {}, pair("Alerts kept", count(data.read_model.alerts)), pair("Charts kept", count(data.read_model.charts)), pair("Size of the read model", `${compact(data.read_model.bytes / 1e6)} MB`), pair("Running since", `${clock(pulse.started)} UTC`))));
}

const pair = (label, value) => h("div", {}, h("dt.dim", {}, label), h("dd.mono", {}, plain(value, 80)));

function worker(one) {
  if (!one.up) return h("ul.lines", {}, h("li", {}, h("span.tag.warn", {}, "No answer"), h("span.grow.mono.cut", {}, plain(one.address, 80)), h("span.dim", {}, "the worker does not run here, or serves no metrics")));
  const shown = one.metrics.filter((metric) => metric.value).slice(0, 60);
  return h("div.scroll", { tabindex: 0, "aria-label": "Metrics" }, h("ul.lines", {}, h("li", {}, h("span.tag.good", {}, "Up"), h("span.grow.mono.cut", {}, plain(one.address, 80)))),
    h("table.grid.tight", {}, h("thead", {}, h("tr", {}, h("th", {}, "Metric"), h("th", {}, "Of"), h("th.num", {}, "Value"))),
      h("tbody", {}, shown.map((metric) => h("tr", {}, h("td", { title: plain(metric.help, 200) }, h("span.mono", {}, plain(metric.name.replace(/^roguekey_/, ""), 60))), h("td.dim", {}, plain(Object.values(metric.labels).join(" · "), 80)), h("td.num", {}, number(metric.value)))))));
}
