// The JSON API: reads, and changes with the token that our own page alone can know.

export class ApiError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

let me = null;

export async function get(path) {
  return answer(await reach(path, { headers: { Accept: "application/json" } }));
}

export async function post(path, body) {
  const headers = { "Content-Type": "application/json", "X-CSRF-Token": me?.csrf ?? "" };
  return answer(await reach(path, { method: "POST", headers, body: JSON.stringify(body) }));
}

async function reach(path, options) {
  try {
    return await fetch(path, { credentials: "same-origin", cache: "no-store", ...options });
  } catch {
    throw new ApiError(0, "The dashboard cannot be reached.");
  }
}

async function answer(response) {
  const body = await response.json().catch(() => ({}));
  if (response.ok) return body;
  const detail = typeof body.detail === "string" ? body.detail : body.detail?.[0]?.msg;
  if (response.status === 401 && location.pathname !== "/enter") location.assign("/enter");
  throw new ApiError(response.status, detail ?? `The dashboard answered ${response.status}.`);
}

/** Whether the dashboard is there, and knows us no more. */
export const isSignedOut = () => reach("/api/me", {}).then((response) => response.status === 401, () => false);

export async function whoAmI() {
  me = await get("/api/me");
  return me;
}

const ROLES = ["viewer", "analyst", "approver"];

/** Whether this user may do what takes a role. */
export const may = (role) => ROLES.indexOf(me?.role) >= ROLES.indexOf(role);
export const myName = () => me?.name ?? "";
