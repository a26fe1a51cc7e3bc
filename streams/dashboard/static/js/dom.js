// Elements. Text only ever goes in as text: nothing that came from outside is read as markup.

/** Make an element: h("a.button", { href }, "text", child). Attributes that are null are left out. */
export function h(what, attributes = {}, ...children) {
  const [tag, ...classes] = what.split(".");
  const element = document.createElement(tag || "div");
  if (classes.length) element.className = classes.join(" ");
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "style") Object.assign(element.style, value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  add(element, children);
  return element;
}

export function add(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return element;
}

/** Let an element hold these children only. */
export function fill(element, ...children) {
  element.replaceChildren();
  return add(element, children);
}

const SVG = "http://www.w3.org/2000/svg";

/** Draw an icon; `paths` are [tag, attributes] within 24 by 24. */
export function svg(paths, label = "") {
  const element = document.createElementNS(SVG, "svg");
  element.setAttribute("viewBox", "0 0 24 24");
  element.setAttribute("class", "icon");
  if (label) {
    element.setAttribute("role", "img");
    element.setAttribute("aria-label", label);
  } else element.setAttribute("aria-hidden", "true");
  for (const [tag, attributes] of paths) {
    const path = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) path.setAttribute(name, value);
    element.append(path);
  }
  return element;
}

// Whoever chose a name may have chosen it for this screen: what would turn, hide or break it is shown as a dot.
const ORDINARY = /^[\x20-\x7e]*$/;
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\u2028\u2029\u115f\u1160\u3164\uffa0]/gu;

/** Give a name as it can be shown: one line, nothing invisible, not too long. */
export function plain(name, most = 120) {
  const whole = String(name ?? "");
  const text = ORDINARY.test(whole) ? whole : whole.replace(UNPRINTABLE, "·").replace(/\p{M}{3,}/gu, "·");
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}

/** Show a name that came from outside, kept apart from the text around it. */
export function name(text, most = 120, classes = "") {
  const shown = plain(text, most);
  return h(`bdi.name${classes}`, { dir: "ltr", title: shown.length > 24 ? shown : null }, shown);
}
