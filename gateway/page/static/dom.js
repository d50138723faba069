// Making nodes. Text goes in as nodes of text only: nothing here, or anywhere in this page, parses HTML.

const SVG = "http://www.w3.org/2000/svg";

/** An element: `props` are properties, `on…` listeners, `data-…`, `aria-…` and `role` attributes, `style` an object. */
export function h(name, props = {}, ...children) {
  return fill(document.createElement(name), props, children);
}

export function svg(name, props = {}, ...children) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(props)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

function fill(node, props, children) {
  for (const [key, value] of Object.entries(props)) {
    if (value === undefined || value === null) continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (key === "style") for (const [name, each] of Object.entries(value)) node.style.setProperty(name, each);
    else if (key.includes("-") || key === "role" || key === "for" || key === "list") node.setAttribute(key, value);
    else if (key === "class") node.className = value;
    else node[key] = value;
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** Set a text only where it has changed, so that selections and screen readers are left in peace. */
export function say(node, text) {
  const wanted = String(text);
  if (node.textContent !== wanted) node.textContent = wanted;
}

export function show(node, isShown) {
  if (node.hidden === isShown) node.hidden = !isShown;
}

/** Make a parent's children the rows' nodes, one a key, made once and updated in place. */
export function keyed(parent, rows, keyOf, make, update) {
  const have = (parent.rows ??= new Map());
  const wanted = new Set(rows.map(keyOf));
  for (const [key, made] of have) {
    if (!wanted.has(key)) {
      made.node.remove();
      have.delete(key);
    }
  }
  let place = null;
  for (const row of rows) {
    const key = keyOf(row);
    if (!have.has(key)) have.set(key, make(row));
    const made = have.get(key);
    update(made, row);
    const next = place ? place.nextSibling : parent.firstChild;
    if (next !== made.node) parent.insertBefore(made.node, next);
    place = made.node;
  }
}

/** Tell who can't see it. */
export function announce(text) {
  say(document.getElementById("said"), text);
}

/** A button that copies what `text` gives. */
export function copyButton(text, label = "Copy") {
  const button = h("button", { type: "button", class: "small", onclick: copy }, label);
  async function copy() {
    const done = await toClipboard(text());
    say(button, done ? "Copied" : "Press Ctrl-C");
    setTimeout(() => say(button, label), 1500);
  }
  return button;
}

async function toClipboard(text) {
  try {
    await navigator.clipboard.writeText(text); // only where the page came by TLS or from this machine
    return true;
  } catch {
    const area = h("textarea", { value: text, class: "unseen" });
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}
