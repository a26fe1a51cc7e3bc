// Dialogs: the reason that every action takes, the shortcuts, and short notes of what happened.
import { h } from "./dom.js";

export function toast(text, bad = false) {
  const note = h(`div.toast${bad ? ".bad" : ""}`, {}, text);
  document.getElementById("toasts").append(note);
  setTimeout(() => note.remove(), bad ? 9000 : 4500);
}

function open(dialog) {
  document.body.append(dialog);
  dialog.addEventListener("close", () => dialog.remove());
  dialog.showModal();
}

/** Ask for a reason and act; the dialog stays open when it fails. `extra` are further fields. */
export function askReason({ title, text, label = "Reason", action, danger = false, presets = [], extra = null, act, done }) {
  const reason = h("textarea.field", { required: true, minlength: 3, maxlength: 1000, name: "reason", placeholder: "What you know, and how you know it" });
  const error = h("p.error", { role: "alert" });
  const confirm = h(`button.button${danger ? ".danger" : ".primary"}`, { type: "submit" }, action);
  const dialog = h("dialog", { "aria-labelledby": "ask-title" });
  const form = h("form", { method: "dialog", onsubmit: async (event) => {
    event.preventDefault();
    confirm.disabled = true;
    error.textContent = "";
    try {
      await act(reason.value.trim(), new FormData(form));
      dialog.close();
      if (done) toast(done);
    } catch (problem) {
      error.textContent = problem.message;
      confirm.disabled = false;
    }
  } },
    h("h2", { id: "ask-title" }, title), text ? h("p", {}, text) : null, extra,
    h("label", {}, label, reason),
    presets.length ? h("div.row", {}, presets.map((preset) => h("button.choice", { type: "button", onclick: () => { reason.value = preset; reason.focus(); } }, preset))) : null,
    error,
    h("div.row.end", {}, h("button.button.quiet", { type: "button", onclick: () => dialog.close() }, "Cancel"), confirm));
  dialog.append(form);
  open(dialog);
  reason.focus();
}

const KEYS = [
  [["j"], "next alert"], [["k"], "previous alert"], [["Enter"], "open it"], [["n"], "show the new ones"], [["/"], "search"],
  [["c"], "claim it, or give it back"], [["Esc"], "back to the list"], [["?"], "this help"],
];

export function help() {
  if (document.querySelector("dialog[open]")) return;
  const dialog = h("dialog", { "aria-labelledby": "help-title" });
  dialog.append(h("div.inside", {}, h("h2", { id: "help-title" }, "Keyboard"),
    h("dl.keys-help", {}, KEYS.map(([keys, text]) => [h("dt", {}, keys.map((key) => h("kbd", {}, key))), h("dd", {}, text)])),
    h("div.row.end", {}, h("button.button", { type: "button", onclick: () => dialog.close() }, "Close"))));
  open(dialog);
}
