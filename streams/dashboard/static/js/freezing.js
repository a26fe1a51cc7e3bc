// Freezing: what may be asked of the freeze hook about a key or an account, and what it answered.
import { get, may, post } from "./api.js";
import { askReason, toast } from "./dialogs.js";
import { h, plain } from "./dom.js";
import { icon } from "./icons.js";
import { RULES, words } from "./words.js";

const PATIENCE_MS = 12_000; // for the hook's answer, and for the exchange's
const LOOK_MS = 300;

const KEY = { noun: "freeze", doing: "Freeze", undo: "Unfreeze", done: "Frozen", effect: "The key can place no orders any more; the account stays open." };
const ACCOUNT = { noun: "hold", doing: "Hold withdrawals", undo: "Release", done: "Withdrawals are held", effect: "The account can withdraw nothing until somebody releases it." };
const APP = { noun: "freeze", doing: "Freeze", undo: "Unfreeze", done: "Approved", effect: "All keys that this alert names are frozen, each with a case of its own. It takes two different people." };
const OF = { key: KEY, account: ACCOUNT, app: APP };
const OWNER = ["Owner did not place these orders", "Pump under way", "Seen in another incident"];
const MISTAKEN = ["Owner confirmed the orders", "Frozen by mistake"];

/** Buttons for a key, an account or an app: `state` of its freeze, `needs` approvers, `hook` as it stands, `path` to ask at. */
export function freezeButtons(what, { state, needs, hook, path }) {
  const term = OF[what];
  const ask = (asked, label, drawn, look, role, dialog, why = null) => h(`button.button${look}`, {
    type: "button", disabled: !may(role) || Boolean(why), title: why ?? (may(role) ? null : `takes the role ${role}`),
    onclick: () => askReason({ action: label, ...dialog, act: async (reason) => follow((await post(path, { ask: asked, reason })).request, asked, term) }),
  }, icon(drawn), label);
  if ((["pending", "approved"].includes(state) && needs > 0) || state === "failed") {
    return [
      ask("approve", `Approve ${term.noun}`, "freezes", ".danger", "approver", { title: `Approve the ${term.noun}`, text: term.effect, danger: true, presets: OWNER }),
      ask("reject", "Reject", "cross", "", "approver", { title: `Reject the ${term.noun}`, text: "The case is closed; nothing is done.", presets: MISTAKEN }),
    ];
  }
  if (["frozen", "held", "unfreeze_failed"].includes(state)) return [ask("unfreeze", term.undo, "freezes", "", "approver", { title: term.undo, text: "What was held is restored at once.", presets: MISTAKEN })];
  if (what === "app") return [];
  const against = hindrance(state, hook);
  const dry = hook.mode === "dry-run" ? " The hook is in a dry run; what a person asks for is done all the same." : "";
  const aside = `${term.effect} It is done whatever budgets, breaker and severity say, and goes on record under your name.${dry}`;
  if (may("approver") || !may("analyst")) return [ask("freeze", term.doing, "freezes", ".danger", "approver", { title: what === "key" ? "Freeze this key" : term.doing, text: aside, danger: true, presets: OWNER }, against)];
  return [ask("propose", `Ask for a ${term.noun}`, "freezes", "", "analyst", { title: `Ask for a ${term.noun}`, text: `An approver decides. ${term.effect}`, presets: OWNER }, against)];
}

function hindrance(state, hook) {
  if (state === "intended") return "The exchange is being told.";
  if (state === "unfreeze_intended") return "It is being unfrozen; the exchange has not answered yet.";
  if (hook.stopped) return "All freezing is stopped: resume it on the page Freezes first.";
  if (hook.off) return "The freeze hook is off: it refuses everything.";
  return null;
}

/** Ask about a case, and tell what came of it. */
export async function askCase(id, asked, reason, what = KEY) {
  await follow((await post(`/api/freezes/cases/${encodeURIComponent(id)}`, { ask: asked, reason })).request, asked, what);
}

/** Throw or take back the kill switch. */
export async function askSwitch(asked, reason) {
  await follow((await post("/api/freezes/switch", { ask: asked, reason })).request, asked, KEY);
}

// The dialog closes when the brokers have the request; what the hook makes of it is told as it comes.
function follow(request, asked, term) {
  tellWhatCame(request, asked, term).catch((error) => toast(error.message, true));
}

async function tellWhatCame(request, asked, term) {
  const until = Date.now() + PATIENCE_MS;
  let heard = null;
  while (Date.now() < until) {
    heard = await get(`/api/freezes/requests/${request}`).catch(() => heard);
    if (isOver(heard, asked)) break;
    await new Promise((done) => setTimeout(done, LOOK_MS));
  }
  if (!heard?.answer) return toast("The freeze hook has not answered. Is it running? The request waits on its topic.", true);
  const { answer, now } = heard;
  if (answer.outcome === "refused") return toast(`Refused: ${plain(answer.why || words(RULES, answer.rule), 300)}`, true);
  if (now === "failed") return toast("The exchange did not do it; people are being paged.", true);
  return toast(said(asked, answer, now, term));
}

const isOver = (heard, asked) => Boolean(heard?.answer) && (["refused", "rejected", "on", "off"].includes(heard.answer.outcome) || asked === "propose" || heard.answer.needs > 0 || ["done", "failed", "cancelled"].includes(heard.now));

function said(asked, answer, now, term) {
  if (asked === "propose") return "It waits for an approver.";
  if (asked === "reject") return "Rejected.";
  if (asked === "stop") return "Stopped: nothing is frozen any more.";
  if (asked === "resume") return "Resumed.";
  if (answer.needs > 0) return `Approved; ${answer.needs} more must approve.`;
  if (now !== "done") return "The exchange has been told, and has not confirmed yet.";
  return asked === "unfreeze" ? "Done: the exchange confirmed." : `${term.done}: the exchange confirmed.`;
}
