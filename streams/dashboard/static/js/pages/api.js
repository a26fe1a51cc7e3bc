// The API, as its own description tells it.
import { get } from "../api.js";
import { fill, h, plain } from "../dom.js";

export async function apiPage(root) {
  document.title = "API · roguekey";
  const spec = await get("/api/openapi.json");
  fill(root, h("header.page-head", {}, h("h1", {}, "API"), h("p", {}, "What this screen reads and writes, for your own programs, too. With tokens, send Authorization: Bearer TOKEN. ", h("a", { href: "/api/openapi.json", download: "roguekey-openapi.json" }, "OpenAPI description"))),
    Object.entries(spec.paths).flatMap(([path, methods]) => Object.entries(methods).map(([method, call]) => operation(path, method, call, spec))));
}

function operation(path, method, call, spec) {
  const body = call.requestBody?.content?.["application/json"]?.schema;
  const fields = body ? schemaFields(body, spec) : [];
  const parameters = (call.parameters ?? []).map((one) => ({ name: one.name, where: one.in, required: one.required, text: one.description ?? one.schema?.description ?? "" }));
  const rows = [...parameters, ...fields];
  return h("section.card.operation", {}, h("header", {}, h(`span.method.${method}`, {}, method.toUpperCase()), h("code.mono", {}, plain(path)), h("span.more", {}, plain(call.summary ?? ""))),
    h("div.body", {}, h("p.dim", {}, plain((call.description ?? "").replace(/\s+/g, " "), 500)), rows.length ? h("div.scroll", { tabindex: 0, "aria-label": "Parameters" }, h("table.grid.tight", {}, h("thead", {}, h("tr", {}, h("th", {}, "Name"), h("th", {}, "In"), h("th", {}, "Meaning"))),
      h("tbody", {}, rows.map((row) => h("tr", {}, h("td.mono", {}, row.name, row.required ? " *" : ""), h("td.dim", {}, row.where), h("td.dim", {}, plain(row.text, 300))))))) : null));
}

function schemaFields(schema, spec) {
  const found = schema.$ref ? spec.components.schemas[schema.$ref.split("/").pop()] : schema;
  return Object.entries(found?.properties ?? {}).map(([field, value]) => {
    const meant = value.$ref ? spec.components.schemas[value.$ref.split("/").pop()] : value;
    return { name: field, where: "body", required: found.required?.includes(field), text: meant.enum ? meant.enum.join(", ") : meant.type ?? "" };
  });
}
