// The table of resources and the totals above it.

import { formatBytes } from "./names.js";

const SVG = "http://www.w3.org/2000/svg";

function setAttributes(node, attributes) {
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
}

function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  setAttributes(node, attributes);
  node.append(...children);
  return node;
}

// A bar for each digit of the hash: other content, another picture.
export function drawGlyph(hash) {
  const glyph = document.createElementNS(SVG, "svg");
  setAttributes(glyph, {
    class: "glyph",
    viewBox: "0 0 47 16",
    width: 47,
    height: 16,
    preserveAspectRatio: "none",
    "aria-hidden": true,
  });
  [...hash].forEach((digit, position) => {
    const height = 1 + parseInt(digit, 16);
    setAttributes(glyph.appendChild(document.createElementNS(SVG, "rect")), {
      x: position * 4,
      y: 16 - height,
      width: 3,
      height,
    });
  });
  return glyph;
}

function nameCell({ name, url }) {
  const { directory, stem, hash, extension } = name;
  const code = element("code", { class: "name" });
  code.append(element("span", { class: "dir" }, directory), hash ? `${stem}.` : stem);
  if (hash) code.append(element("mark", {}, hash), extension, drawGlyph(hash));
  else code.append(element("span", { class: "tag" }, "no hash"));
  return element("th", { scope: "row", role: "rowheader", title: url }, code);
}

// The label stands for the column's head where the screen is too narrow for columns.
function cell(label, className, ...children) {
  const attributes = { role: "cell", class: className };
  return element("td", label ? { ...attributes, "data-label": label } : attributes, ...children);
}

function cacheCell({ cacheControl, immutable }) {
  const [before, after] = cacheControl.split("immutable");
  const code = element("code", {}, before);
  if (immutable) code.append(element("strong", { class: "tag" }, "immutable"), after);
  return cell("", "wide", code);
}


export class ResourceTable {
  resources = [];

  constructor(table, totals) {
    this.body = table.tBodies[0];
    this.totals = totals;
  }

  add(resource) {
    const { coding, etag, cached, decoded, transferred } = resource;
    this.resources.push(resource);
    resource.etagCell = cell("", "etag wide", element("code", { title: etag }, etag));
    this.body.append(
      element(
        "tr",
        { role: "row" },
        nameCell(resource),
        cell("Coding", "", element("code", {}, coding || "identity")),
        cell("Size", "number muted", formatBytes(decoded)),
        cell("Transferred", "number", cached ? "cached" : formatBytes(transferred)),
        cacheCell(resource),
        resource.etagCell,
      ),
    );
    this.sum();
  }

  sum() {
    const count = (test) => this.resources.filter(test).length;
    const total = (key) => this.resources.reduce((sum, resource) => sum + resource[key], 0);
    const values = {
      files: this.resources.length,
      hashed: count(({ name }) => name.hash),
      immutable: count(({ immutable }) => immutable),
      encoded: formatBytes(total("encoded")),
      decoded: formatBytes(total("decoded")),
    };
    for (const [key, value] of Object.entries(values)) {
      this.totals.querySelector(`[data-total=${key}]`).textContent = value;
    }
  }
}
