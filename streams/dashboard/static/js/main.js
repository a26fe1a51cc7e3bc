// The frame: navigation, how things stand, and which page is shown.
import { post, whoAmI } from "./api.js";
import { fill, h, name } from "./dom.js";
import { clock, now } from "./format.js";
import { icon } from "./icons.js";
import { alertPage } from "./pages/alert.js";
import { apiPage } from "./pages/api.js";
import { appPage, appsPage } from "./pages/apps.js";
import { enterPage } from "./pages/enter.js";
import { freezesPage } from "./pages/freezes.js";
import { healthPage } from "./pages/health.js";
import { inactivePage } from "./pages/inactive.js";
import { keyPage } from "./pages/key.js";
import { livePage } from "./pages/live.js";
import { profiteersPage } from "./pages/profiteers.js";
import { help } from "./dialogs.js";
import { standing } from "./standing.js";
import { failed, missing } from "./states.js";
import { connect, listen, lost, pulse, signedOut } from "./stream.js";

const ITEMS = [
  ["/", "live", "Live"], ["/apps", "apps", "Apps"], ["/profiteers", "profiteers", "Profiteers"], ["/inactive", "inactive", "Inactive keys"],
  ["/freezes", "freezes", "Freezes"], ["/health", "health", "Health"], ["/api", "api", "API"],
];
const ROUTES = [
  [/^\/$/, livePage, "/"], [/^\/alerts\/([^/]+)$/, alertPage, "/"], [/^\/keys\/([0-9a-f]+)$/, keyPage, "/"], [/^\/apps$/, appsPage, "/apps"],
  [/^\/app$/, appPage, "/apps"], [/^\/profiteers$/, profiteersPage, "/profiteers"], [/^\/inactive$/, inactivePage, "/inactive"],
  [/^\/freezes$/, freezesPage, "/freezes"], [/^\/health$/, healthPage, "/health"], [/^\/api$/, apiPage, "/api"], [/^\/enter$/, enterPage, ""],
];

const main = document.getElementById("main");
let leave = null; // what ends the page that is shown
let turn = 0;

/** Show the page of the address. */
async function show(restored = false) {
  const mine = ++turn;
  leave?.();
  leave = null;
  const found = ROUTES.map(([pattern, page, item]) => [pattern.exec(location.pathname), page, item]).find(([match]) => match);
  mark(found?.[2]);
  main.scrollTop = 0;
  if (!found) return fill(main, missing("page"));
  const root = h("div.page");
  fill(main, root);
  try {
    const ended = await found[1](root, ...found[0].slice(1).map(decodeURIComponent));
    if (mine === turn) leave = ended ?? null;
    else ended?.();
  } catch (error) {
    if (mine === turn) fill(root, error.status === 404 ? missing("page") : failed(error, () => show()));
  }
  if (!restored && mine === turn && document.activeElement?.closest("main") === null) main.focus({ preventScroll: true });
}

/** Go to another page of ours. */
export function go(path) {
  history.pushState(null, "", path);
  show();
}

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[href]");
  if (!link || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey) return;
  const url = new URL(link.href);
  if (url.origin !== location.origin || url.pathname.startsWith("/api/") || url.hash || link.hasAttribute("download")) return;
  event.preventDefault();
  if (url.pathname + url.search !== location.pathname + location.search) go(url.pathname + url.search);
});
addEventListener("popstate", () => show(true));
addEventListener("go", (event) => go(event.detail));

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest?.("input, textarea, select, dialog");
  if (event.key === "?" && !typing) {
    event.preventDefault();
    help();
  }
});

const badge = h("span.badge", { hidden: true });
const links = new Map();

function mark(item) {
  for (const [href, link] of links) href === item ? link.setAttribute("aria-current", "page") : link.removeAttribute("aria-current");
}

function buildNav() {
  const nav = document.getElementById("nav");
  fill(nav, h("a.brand", { href: "/", "aria-label": "roguekey, live list" }, h("img", { src: "/static/icon.svg", alt: "" }), h("span", {}, "roguekey")));
  for (const [href, drawn, label] of ITEMS) {
    const link = h("a.item", { href, title: label, "aria-label": label }, icon(drawn), h("span.label", {}, label), href === "/freezes" ? badge : null);
    links.set(href, link);
    nav.append(link);
  }
  nav.append(h("div.foot", {}, h("kbd", {}, "?"), "shortcuts"));
}

const state = h("span.state", { role: "status" }, h("span.dot"), h("span", {}, "Connecting…"));
const door = h("a.button.small", { href: "/enter", hidden: true }, "Enter again");
const utc = h("span.clock");

function buildTop(user) {
  const theme = h("button.icon-button", { type: "button", onclick: toggleTheme, "aria-label": "Dark or light", title: "Dark or light" }, icon("sun"));
  const leaving = user?.can_leave ? h("button.icon-button", { type: "button", "aria-label": "Leave", title: "Leave", onclick: async () => {
    await post("/api/leave", {});
    location.assign("/enter");
  } }, icon("leave")) : null;
  fill(document.getElementById("top"), state, door, h("span.spacer"), utc,
    user ? h("span.who", {}, icon("user"), h("b", {}, name(user.name, 30)), h("span", {}, user.role)) : null,
    h("button.icon-button", { type: "button", onclick: help, "aria-label": "Keyboard shortcuts", title: "Keyboard shortcuts" }, icon("help")), theme, leaving);
}

function toggleTheme() {
  const next = document.documentElement.dataset.theme === "light" ? "dark" : "light";
  document.documentElement.dataset.theme = next;
  localStorage.setItem("theme", next);
  dispatchEvent(new CustomEvent("theme"));
}

/** Say how fresh all this is; the words change, nothing moves. */
function tellState() {
  const [tone, text] = standing(pulse, lost(), now(), signedOut());
  door.hidden = !signedOut();
  if (state.className !== `state ${tone}`) state.className = `state ${tone}`;
  if (state.lastChild.textContent !== text) state.lastChild.textContent = text;
  utc.textContent = `${clock(now())} UTC`;
  utc.title = new Date(now()).toLocaleString();
  const waiting = pulse?.summary?.pending ?? 0;
  badge.hidden = !waiting;
  badge.textContent = waiting;
  badge.setAttribute("aria-label", `${waiting} wait for approval`);
}

setInterval(tellState, 1000);
listen(tellState);

async function start() {
  buildNav();
  buildTop(null);
  if (location.pathname === "/enter") {
    state.hidden = true;
    return show();
  }
  try {
    const user = await whoAmI();
    buildTop(user);
    connect();
  } catch (error) {
    if (error.status === 401) return;
    fill(main, failed(error, start));
    return;
  }
  show();
}

start();
