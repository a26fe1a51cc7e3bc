// What a page shows while there is nothing to show.
import { h } from "./dom.js";
import { icon } from "./icons.js";

export const loading = () => h("div.card", { "aria-busy": "true", "aria-label": "Loading" }, h("div.bones", {}, h("i"), h("i"), h("i"), h("i"), h("i")));

export const empty = (title, text, drawn = "calm") => h("div.empty", {}, icon(drawn), h("b", {}, title), text ? h("p", {}, text) : null);

export const missing = (what) => h("div.page", {}, h("div.card", {}, empty(`There is no such ${what}`, "It may be older than what the dashboard keeps.", "cross")));

export function failed(error, again) {
  return h("div.card", { role: "alert" }, h("div.empty", {}, icon("lost"), h("b", {}, "This could not be loaded"), h("p", {}, error.message),
    again ? h("button.button", { type: "button", onclick: again }, "Try again") : null));
}

/** Keep a page up to date: read and draw now, and again when `changed` says so. */
export async function follow(root, read, draw, listen) {
  const box = h("div.page-body", {}, loading());
  root.append(box);
  let timer = 0;
  let last = "";
  const again = async () => {
    try {
      const data = await read();
      const text = JSON.stringify(data);
      if (text !== last && !root.contains(document.querySelector("dialog[open]"))) {
        last = text;
        draw(box, data);
      }
    } catch (error) {
      if (!last || box.querySelector(".bones")) box.replaceChildren(failed(error, again));
    }
  };
  await again();
  const end = listen((kind) => {
    if (kind === "lost") return;
    timer ||= setTimeout(() => {
      timer = 0;
      if (root.isConnected) again();
    }, 600);
  });
  return { again, end: () => { end(); clearTimeout(timer); } };
}
