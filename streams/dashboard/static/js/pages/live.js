// The live list. What is in it stays where it is; what is new waits until it is asked for.
import { get, may, myName, post } from "../api.js";
import { toast } from "../dialogs.js";
import { add, fill, h, name, plain } from "../dom.js";
import { asQuery, isAll, matches, readFilter, writeFilter } from "../filters.js";
import { ageOf, count, dollars, oneIn, rarity, time, usd } from "../format.js";
import { icon, severity, SEVERITIES } from "../icons.js";
import { preview } from "../preview.js";
import { empty, failed, loading } from "../states.js";
import { listen, pulse } from "../stream.js";
import { tiles } from "../tiles.js";
import { appName, freezeTag, KINDS, status, STATUSES, subject } from "../words.js";
import { WindowList } from "../window-list.js";

const PAGE = 200;
const MORE = 1000;
const MOST = 20_000;
const AGAIN_MS = 1000; // after a page of the list could not be read
const phone = matchMedia("(max-width: 680px)");
let kept = null; // place and selection, for whoever comes back from an alert

export async function livePage(root) {
  root.classList.add("live");
  const filter = readFilter();
  let rows = [];
  const known = new Map(); // id: row, of all that are shown or waiting
  let waiting = [];
  let total = 0;
  let newest = 0; // number of the newest alert when the list was read
  let isWhole = false; // whether all of it has come
  let selected = null;
  let turn = 0;
  let unread = null; // changes that wait for the first page of the list
  document.title = "Live · roguekey";

  const scroller = h("div.list", { role: "grid", tabindex: 0, "aria-label": "Alerts", "aria-colcount": 8 });
  const body = h("div.list-body");
  const pill = h("button.pill", { type: "button", hidden: true, onclick: showNew });
  const shownCount = h("span.dim", { role: "status" });
  const side = preview();
  const { element: glance, update: updateTiles } = tiles(filter, changed);
  const bar = filterBar(filter, changed, shownCount);
  const frame = h("div.list-frame.card", {}, listHead(), body, pill);
  root.append(h("h1.sr", {}, "Live alerts"), glance, bar, h("div.split", {}, frame, side.element));

  const list = new WindowList(scroller, drawRow, () => (phone.matches ? 126 : 64));
  fill(body, loading());

  function drawRow(row) {
    const chosen = row.id === selected;
    const element = h(`div.row${chosen ? ".chosen" : ""}${row.status === "open" || row.status === "claimed" ? "" : ".done"}`, {
      role: "row", id: `alert-${row.id}`, "data-id": row.id, "aria-selected": String(chosen),
    });
    add(element, rowCells(row));
    return element;
  }

  async function load() {
    const mine = ++turn;
    unread = []; // what is told while the list is on its way may be newer than the list
    try {
      const query = asQuery(filter);
      const first = await get(`/api/alerts?limit=${PAGE}&${query}`);
      if (mine !== turn) return;
      rows = first.alerts;
      known.clear();
      for (const row of rows) known.set(row.id, row);
      waiting = [];
      total = first.total;
      newest = first.newest;
      isWhole = !first.next;
      draw();
      takeUnread();
      let cursor = first.next;
      while (cursor && rows.length < MOST) {
        const page = await get(`/api/alerts?limit=${MORE}&cursor=${encodeURIComponent(cursor)}&${query}`).catch(() => null);
        if (mine !== turn) return;
        if (!page) {
          await new Promise((done) => setTimeout(done, AGAIN_MS));
          continue;
        }
        for (const row of page.alerts) {
          if (!known.has(row.id)) {
            known.set(row.id, row);
            rows.push(row);
          }
        }
        cursor = page.next;
        scroller.setAttribute("aria-rowcount", rows.length + 1);
        list.set(rows);
      }
      isWhole = true;
      tellCount();
    } catch (error) {
      if (mine !== turn) return;
      takeUnread();
      if (!rows.length) fill(body, failed(error, load));
    }
  }

  function draw() {
    if (!rows.length) fill(body, isAll(filter) ? nothingYet() : nothingMatches(clear));
    else if (scroller.parentNode !== body) fill(body, scroller);
    scroller.setAttribute("aria-rowcount", rows.length + 1);
    list.set(rows);
    if (rows.length && !rows.some((row) => row.id === selected)) select(0, false);
    tellCount();
  }

  function tellCount() {
    const all = Math.max(total, rows.length);
    const text = `${count(all)} alert${all === 1 ? "" : "s"}`;
    if (shownCount.textContent !== text) shownCount.textContent = text;
    pill.hidden = !waiting.length;
    if (waiting.length) {
      fill(pill, icon("up"), `${count(waiting.length)} new`);
      const worst = SEVERITIES.find((level) => waiting.some((row) => row.severity === level));
      pill.className = `pill ${worst}`;
      pill.setAttribute("aria-label", `Show ${waiting.length} new alerts`);
    }
    document.title = waiting.length ? `(${waiting.length}) Live · roguekey` : "Live · roguekey";
  }

  function showNew() {
    const sorted = filter.sort === "newest" ? [...waiting].sort((a, b) => b.n - a.n) : null;
    total += waiting.length;
    rows = sorted ? [...sorted, ...rows] : inOrder([...waiting, ...rows], filter.sort);
    waiting = [];
    scroller.scrollTop = 0;
    draw();
    select(0, true);
    scroller.focus({ preventScroll: true });
  }

  function changed() {
    writeFilter(filter);
    scroller.scrollTop = 0;
    selected = null;
    bar.sync();
    updateTiles();
    load();
  }

  function clear() {
    for (const field of ["severity", "kind", "status"]) filter[field].clear();
    filter.q = "";
    filter.assignee = "";
    changed();
  }

  function take(changes) {
    if (unread) return unread.push(...changes);
    const fresh = new Map();
    for (const row of changes) {
      const before = known.get(row.id);
      if (before) Object.assign(before, row), fresh.set(row.id, row);
      else if (matches(filter, row) && (isWhole || row.n > newest)) {
        known.set(row.id, row);
        waiting.push(row);
      }
    }
    if (fresh.size) {
      for (const id of fresh.keys()) {
        const drawn = list.shown.get(id);
        if (drawn) drawn.row = null; // drawn anew, in its place
      }
      list.later();
      if (fresh.has(selected)) side.show(known.get(selected));
    }
    if (!rows.length && waiting.length) showNew();
    else tellCount();
  }

  function takeUnread() {
    const changes = unread ?? [];
    unread = null;
    take(changes);
  }

  async function catchUp() {
    const mine = turn;
    const page = await get(`/api/alerts?limit=${MORE}&${asQuery({ ...filter, sort: "newest" })}`).catch(() => null);
    if (page && mine === turn) take([...page.alerts].reverse());
  }

  function select(place, reveal = true) {
    if (place < 0 || place >= rows.length) return;
    const before = list.element(selected);
    before?.classList.remove("chosen");
    before?.setAttribute("aria-selected", "false");
    selected = rows[place].id;
    if (reveal) list.reveal(place);
    const element = list.element(selected);
    element?.classList.add("chosen");
    element?.setAttribute("aria-selected", "true");
    scroller.setAttribute("aria-activedescendant", `alert-${selected}`);
    side.show(rows[place]);
  }

  const placeOf = (id) => rows.findIndex((row) => row.id === id);
  const open = (id) => dispatchEvent(new CustomEvent("go", { detail: `/alerts/${id}` }));

  scroller.addEventListener("click", (event) => {
    const id = event.target.closest(".row")?.dataset.id;
    if (!id || event.target.closest("a")) return;
    if (phone.matches || !side.isVisible() || id === selected && event.detail === 2) return open(id);
    select(placeOf(id), false);
  });

  function onKey(event) {
    if (event.target.closest?.("input, textarea, select, dialog") || event.metaKey || event.ctrlKey || event.altKey) return;
    if (document.querySelector("dialog[open]")) return;
    const at = placeOf(selected);
    const moves = { j: at + 1, ArrowDown: at + 1, k: at - 1, ArrowUp: at - 1, PageDown: at + 10, PageUp: at - 10, Home: 0, End: rows.length - 1 };
    if (event.key in moves && (event.key.length === 1 || event.target === scroller)) {
      event.preventDefault();
      select(Math.min(rows.length - 1, Math.max(0, moves[event.key])));
    } else if (event.key === "Enter" && !event.target.closest?.("a, button") && selected) {
      event.preventDefault();
      open(selected);
    } else if (event.key === "n" && waiting.length) showNew();
    else if (event.key === "c" && selected && may("analyst")) claim(known.get(selected));
    else if (event.key === "/") {
      event.preventDefault();
      bar.search.focus();
    }
  }
  document.addEventListener("keydown", onKey);

  const end = listen((kind, data) => {
    if (kind === "alerts") take(data);
    else if (kind === "reset") catchUp();
    else if (kind === "pulse") updateTiles();
  });
  const onSize = () => list.redraw();
  phone.addEventListener("change", onSize);

  await load();
  if (kept?.query === location.search && rows.length) {
    const place = placeOf(kept.selected);
    list.paint();
    scroller.scrollTop = kept.top;
    if (place >= 0) select(place);
  }
  if (pulse) updateTiles();
  if (!document.activeElement || document.activeElement === document.body) scroller.focus({ preventScroll: true });

  return () => {
    kept = { query: location.pathname === "/" ? location.search : kept?.query ?? "", selected, top: scroller.scrollTop };
    kept.query = asQuery(filter) ? `?${asQuery(filter)}` : "";
    turn += 1;
    end();
    list.close();
    side.close();
    document.removeEventListener("keydown", onKey);
    phone.removeEventListener("change", onSize);
  };
}

async function claim(alert) {
  const step = alert.assignee === myName() ? "released" : "claimed";
  try {
    await post(`/api/alerts/${alert.id}/claim`, { step });
    toast(step === "claimed" ? "It is yours." : "Given back.");
  } catch (error) {
    toast(error.message, true);
  }
}

function inOrder(rows, sort) {
  const rank = { low: 1, medium: 2, high: 3, critical: 4 };
  const value = sort === "money" ? (row) => row.money : (row) => rank[row.severity];
  return rows.sort((a, b) => value(b) - value(a) || b.n - a.n);
}

const COLUMNS = ["Severity", "Age", "Subject", "Market", "Why", "Rarity", "At risk", "Status"];

function listHead() {
  return h("div.list-head", { "aria-hidden": "true" }, COLUMNS.map((column, place) => h(`span.c${place}`, {}, column)));
}

function rowCells(row) {
  const cell = (place, ...children) => h(`div.c${place}`, { role: "gridcell" }, children);
  return [
    cell(0, severity(row.severity)),
    cell(1, ageOf(row.raised_ts), h("span.faint.second", {}, time(row.event_ts))),
    cell(2, h("a.subject", { href: `/alerts/${row.id}`, tabindex: -1 }, subject(row)), under(row)),
    cell(3, name(row.symbol, 40, ".strong"), h("span.faint.second", {}, name(row.venue, 24))),
    cell(4, h("span.reason", {}, plain(row.reasons[0] ?? "", 240)), row.reasons[1] ? h("span.reason.dim", {}, plain(row.reasons[1], 240)) : null),
    cell(5, scale(row), h("span.second.nowrap", { title: `score ${row.score}, threshold ${row.threshold}` }, rarity(row.score))),
    cell(6, h("span.money", { title: dollars(row.money) }, usd(row.money))),
    cell(7, h("span.tags", {}, status(row), freezeTag(row.freeze)), row.assignee ? h("span.faint.second.cut", {}, name(row.assignee, 30)) : null),
  ];
}

function under(row) {
  if (row.kind === "app_leak") return h("span.second.faint", {}, KINDS.app_leak);
  if (row.kind === "profiteer") return h("span.second.faint", {}, KINDS.profiteer);
  return h("span.second.faint.cut", {}, row.app ? appName(row.app, false) : "own program", " · ", name(row.account, 24));
}

const DECADES = 9; // of rarity that the bar spans: one in 10 to one in 10^10

/** The score against its threshold, on a scale of powers of ten. */
export function scale(row) {
  const place = (score) => `${Math.min(100, Math.max(0, (100 * (Math.log10(oneIn(score)) - 1)) / DECADES)).toFixed(1)}%`;
  return h(`span.scale.${row.severity}`, { "aria-hidden": "true" }, h("i.fill", { style: { width: place(row.score) } }), h("i.mark", { style: { left: place(row.threshold) } }));
}

function nothingYet() {
  return empty("No alerts yet", "As soon as a key is misused, it stands here. The state of the brokers is at the top left.", "shield");
}

function nothingMatches(clear) {
  const shown = empty("Nothing matches", "No alert fits these filters.", "calm");
  shown.append(h("button.button", { type: "button", onclick: clear }, "Clear the filters"));
  return shown;
}

function filterBar(filter, changed, shownCount) {
  let timer = 0;
  const search = h("input.field.search", { type: "search", placeholder: "Search", title: "App, market, account, or a key as it is shown: k4…45", "aria-label": "Search alerts", value: filter.q, maxlength: 200, oninput: () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      filter.q = search.value.trim();
      changed();
    }, 220);
  }, onkeydown: (event) => {
    if (event.key === "Escape" || event.key === "Enter") document.querySelector(".list")?.focus();
  } });
  const chips = [];
  const chip = (field, value, label) => {
    const button = h("button.choice", { type: "button", onclick: () => {
      filter[field].has(value) ? filter[field].delete(value) : filter[field].add(value);
      changed();
    } }, label);
    chips.push(() => button.setAttribute("aria-pressed", String(filter[field].has(value))));
    return button;
  };
  const own = h("button.choice", { type: "button", onclick: () => {
    filter.assignee = filter.assignee ? "" : myName();
    changed();
  } }, "Mine");
  chips.push(() => own.setAttribute("aria-pressed", String(Boolean(filter.assignee))));
  const sort = h("select.field.small", { "aria-label": "Sort by", onchange: () => {
    filter.sort = sort.value;
    changed();
  } }, [["newest", "Newest"], ["severity", "Severest"], ["money", "Most money"]].map(([value, label]) => h("option", { value, selected: filter.sort === value }, label)));
  const csv = h("a.button.small.quiet", { download: "roguekey-alerts.csv", href: "/api/alerts.csv" }, icon("down"), "CSV");
  const bar = h("div.filters", { role: "search" }, search,
    h("span.group", { role: "group", "aria-label": "Kind" }, Object.entries(KINDS).map(([value, label]) => chip("kind", value, label))),
    h("span.group", { role: "group", "aria-label": "Status" }, Object.entries(STATUSES).map(([value, label]) => chip("status", value, label)), own),
    h("span.end", {}, shownCount, sort, csv));
  bar.search = search;
  bar.sync = () => {
    for (const one of chips) one();
    sort.value = filter.sort;
    if (document.activeElement !== search) search.value = filter.q;
    csv.href = `/api/alerts.csv?${asQuery(filter)}`;
  };
  bar.sync();
  return bar;
}
