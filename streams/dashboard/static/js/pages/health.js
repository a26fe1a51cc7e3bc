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
  const behind = ofOrders(data);
  const fact = (label, value, note, tone = "") => h("div.figure", {}, h("span.label", {}, label), h(`span.value${tone}`, {}, value), note ? h("span.note", {}, note) : null);
  const differs = data.model && data.in_use && data.model.model_id && data.model.model_id !== data.in_use.model;
  return fill(box,
    h("div.figures", {},
      fact("Brokers", pulse.reachable ? "Reachable" : "Unreachable", `since ${clock(pulse.since)} UTC`, pulse.reachable ? ".good" : ".critical"),
      fact("Workers", ...WORKERS[data.worker_state](data)),
      fact("Behind", behind === null ? "–" : count(behind), "orders that the workers have not done", behind > 10000 ? ".high" : ""),
      fact("Last event", pulse.orders_moved ? `${age(quiet)} ago` : "None seen", pulse.orders_moved ? `${count(pulse.orders)} on the topic` : `since this dashboard runs, ${age(quiet)}; ${count(pulse.orders)} on the topic`, quiet > 40000 ? ".high" : ""),
      fact("Throughput", compact(pulse.orders_rate), "orders per second"),
      fact("Dead letters", count(pulse.dead), "orders that were refused", pulse.dead ? "" : ".good"),
      fact("Unreadable", count(data.read_model.unreadable), "records of other topics", data.read_model.unreadable ? ".high" : "")),
    standingOfWorkers(data, quiet, behind),
    differs ? h("div.banner.warn", {}, icon("high"), h("div.grow", {}, h("b", {}, "Workers run another model"), h("p.dim", {}, `The last alert came from ${plain(data.in_use.model, 40)}; the settings of this dashboard name ${plain(data.model.model_id, 40)}.`))) : null,
    h("div.two.even", {},
      h("section.card", {}, h("header", {}, h("h2", {}, "Lag"), h("span.more", {}, "records not yet done")), data.groups ? Object.entries(READERS).map(([group, reader]) => lag(reader, data.groups[group])) : empty("Unknown", "The brokers cannot be reached, so nobody can tell.", "lost")),
      h("section.card", {}, h("header", {}, h("h2", {}, "Model and config in use"), h("span.more", {}, "as the last alert says")), h("dl.pairs-list", {},
        pair("Model", data.in_use?.model ?? "no alert yet"), pair("Config", data.in_use?.config ?? "–"), pair("Threshold", data.in_use ? number(data.in_use.threshold) : "–"),
        data.model ? Object.entries(data.model).filter(([key]) => key !== "model_id").map(([key, value]) => pair(key.replaceAll("_", " "), String(value).length > 24 ? `${String(value).slice(0, 16)}…` : value)) : pair("Artifact", "not at hand here")))),
    data.workers.map((one) => worker(one, data.worker_state)),
    h("section.card", {}, h("header", {}, h("h2", {}, "This dashboard")), h("dl.pairs-list", {}, pair("Alerts kept", count(data.read_model.alerts)), pair("Charts kept", count(data.read_model.charts)), pair("Size of the read model", `${compact(data.read_model.bytes / 1e6)} MB`), pair("Running since", `${clock(pulse.started)} UTC`))));
}

const pair = (label, value) => h("div", {}, h("dt.dim", {}, label), h("dd.mono", {}, plain(value, 80)));

const READERS = {
  worker: ["Workers", "No worker has committed anything yet; roguekey worker starts one."],
  "freeze-hook": ["Freeze hook", "It has read nothing yet; roguekey freeze-hook starts it."],
};
const ofOrders = (data) => data.groups?.worker.topics.find((one) => one.topic === data.topics.orders)?.behind ?? (data.groups ? 0 : null);

function lag([label, none], group) {
  return [h("h3.sub", {}, label), group.topics.length
    ? h("ul.lines", {}, group.topics.map((one) => h("li", {}, h("span.grow.mono.cut", {}, plain(one.topic, 80)), h("b", {}, count(one.behind)))))
    : h("p.body.dim", {}, none)];
}

// The value, a note and a tone for what is known of the workers.
const WORKERS = {
  running: (data) => {
    const up = data.workers.filter((one) => one.up).length || data.groups.worker.members;
    return [count(up), up === 1 ? "is running" : "are running", ".good"];
  },
  unseen: () => ["Silent", "in their group, but none answers", ".high"],
  none: () => ["None", "is running", ".critical"],
  unknown: () => ["–", "nobody can tell", ""],
};

/** Say plainly what is known where no worker answers. */
function standingOfWorkers(data, quiet, behind) {
  if (data.worker_state === "running") return null;
  const waiting = behind === null ? "" : behind ? `${count(behind)} orders wait for one.` : "Nothing waits: all that came is done.";
  const last = data.pulse.orders_moved ? `The last event came ${age(quiet)} ago.` : "No event has come since this dashboard runs.";
  const where = data.workers.map((one) => plain(one.address, 80)).join(", ");
  const [tone, title, text] = {
    none: [behind ? "bad" : "warn", "No worker is running", `${last} ${waiting} Orders stay on their topic until roguekey worker starts; no alert is raised until then.`],
    unseen: ["warn", "No worker answers", `The brokers count ${count(data.groups?.worker.members ?? 0)} in the group, but nothing answers at ${where}. Either they run elsewhere (name their addresses in dashboard_metrics), or they ended a moment ago. ${last} ${waiting}`],
    unknown: ["bad", "Nobody can tell whether a worker runs", `The brokers cannot be reached, and nothing answers at ${where || "any address: dashboard_metrics names none"}. ${last}`],
  }[data.worker_state];
  return h(`div.banner.${tone}`, { role: "status" }, icon("health"), h("div.grow", {}, h("b", {}, title), h("p.dim", {}, text)));
}

function worker(one, state) {
  const head = h("header", {}, h("h2", {}, "Metrics of a worker"), h("span.more.mono", {}, plain(one.address, 80)));
  if (!one.up) return h("section.card", {}, head, h("p.body.dim", {}, state === "running" ? "This address does not answer; another one does." : "Nothing answers at this address."));
  const shown = one.metrics.filter((metric) => metric.value);
  return h("section.card", {}, head, h("div.figures.inside", {}, figuresOf(one.metrics)), h("details.raw", {}, h("summary", {}, `All ${count(shown.length)} metrics`), h("div.scroll", { tabindex: 0, "aria-label": "Metrics" },
    h("table.grid.tight", {}, h("thead", {}, h("tr", {}, h("th", {}, "Metric"), h("th", {}, "Of"), h("th.num", {}, "Value"))),
      h("tbody", {}, shown.map((metric) => h("tr", {}, h("td", { title: plain(metric.help, 200) }, h("span.mono", {}, plain(metric.name.replace(/^roguekey_/, ""), 60))), h("td.dim", {}, plain(Object.values(metric.labels).join(" · "), 80)), h("td.num", {}, number(metric.value)))))))));
}

// What people ask first, out of the many.
function figuresOf(metrics) {
  const sum = (name) => metrics.filter((metric) => metric.name === `roguekey_${name}`).reduce((all, metric) => all + metric.value, 0);
  const figure = (label, value) => h("div.figure", {}, h("span.label", {}, label), h("span.value", {}, value));
  return [
    figure("Events judged", count(sum("events_total"))), figure("Alerts raised", count(sum("alerts_total"))), figure("Refused", count(sum("dead_letters_total"))),
    figure("Events a second", compact(sum("events_per_second"))), figure("Memory", `${compact(sum("process_resident_memory_bytes") / 1e6)} MB`), figure("Last checkpoint", `${age(1000 * sum("checkpoint_age_seconds"))} ago`),
  ];
}
