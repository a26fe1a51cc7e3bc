// The door: a token, shown once.
import { ApiError } from "../api.js";
import { fill, h } from "../dom.js";
import { icon } from "../icons.js";

export async function enterPage(root) {
  document.title = "Enter · roguekey";
  const token = h("input.field", { type: "password", name: "token", required: true, autocomplete: "current-password", maxlength: 500 });
  const error = h("p.error", { role: "alert" });
  fill(root, h("div.door.card", {}, h("form.inside", { onsubmit: async (event) => {
    event.preventDefault();
    error.textContent = "";
    try {
      const response = await fetch("/api/enter", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ token: token.value }) });
      if (!response.ok) throw new ApiError(response.status, (await response.json()).detail);
      location.assign("/");
    } catch (problem) {
      error.textContent = problem.message;
      token.select();
    }
  } }, icon("key"), h("h1", {}, "roguekey"), h("p.dim", {}, "Enter with the token that you were given."), h("label", {}, "Token", token), error, h("button.button.primary", { type: "submit" }, "Enter"))));
  token.focus();
}
