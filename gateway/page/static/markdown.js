// What a model writes, as nodes: paragraphs, headings, lists, quotes, tables, code, emphasis, links to http(s). Of the
// text nothing is ever parsed as HTML; what is not known here is shown as it was written.

import { copyButton, h } from "./dom.js";
import { visible } from "./format.js";

const FENCE = /^ {0,3}(`{3,}|~{3,})\s*([^`\s]*)/;
const HEADING = /^ {0,3}(#{1,6})\s+(.*?)\s*#*\s*$/;
const RULE = /^ {0,3}([-*_])( *\1){2,}\s*$/;
const BULLET = /^(\s*)([-*+]|\d{1,9}[.)])\s+(.*)$/;
const QUOTE = /^ {0,3}> ?(.*)$/;
const DIVIDER = /^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$/;
const MOST_NESTED = 8;

/** A text that grows: blocks that have not changed keep their nodes. */
export class Prose {
  constructor() {
    this.node = h("div", { class: "prose", dir: "auto" });
    this.blocks = [];
  }

  update(text) {
    const blocks = blocksOf(visible(text).split("\n"));
    let same = 0;
    while (same < blocks.length && same < this.blocks.length && blocks[same].key === this.blocks[same].key) same += 1;
    while (this.node.children.length > same) this.node.lastChild.remove();
    for (const block of blocks.slice(same)) this.node.append(nodeOf(block, 0));
    this.blocks = blocks;
  }
}

function blocksOf(lines) {
  const blocks = [];
  for (let at = 0; at < lines.length; ) {
    const block = blockAt(lines, at);
    if (block.kind !== "blank") blocks.push({ ...block, key: `${block.kind}\n${lines.slice(at, block.next).join("\n")}` });
    at = block.next;
  }
  return blocks;
}

function blockAt(lines, at) {
  const line = lines[at];
  if (!line.trim()) return { kind: "blank", next: at + 1 };
  if (FENCE.test(line)) return fenceAt(lines, at);
  const heading = HEADING.exec(line);
  if (heading) return { kind: "heading", level: heading[1].length, text: heading[2], next: at + 1 };
  if (RULE.test(line)) return { kind: "rule", next: at + 1 };
  if (BULLET.test(line)) return listAt(lines, at);
  if (QUOTE.test(line)) return quoteAt(lines, at);
  if (line.includes("|") && at + 1 < lines.length && lines[at + 1].includes("-") && DIVIDER.test(lines[at + 1])) return tableAt(lines, at);
  return paragraphAt(lines, at);
}

function fenceAt(lines, at) {
  const [, mark, language] = FENCE.exec(lines[at]);
  let next = at + 1;
  while (next < lines.length && !(lines[next].trim().startsWith(mark) && !lines[next].trim().slice(mark.length).replaceAll(mark[0], ""))) next += 1;
  return { kind: "code", language, text: lines.slice(at + 1, next).join("\n"), next: Math.min(next + 1, lines.length) };
}

function listAt(lines, at) {
  const [, indent, mark] = BULLET.exec(lines[at]);
  const depth = indent.length;
  const isOrdered = /\d/.test(mark);
  const items = [];
  let next = at;
  while (next < lines.length) {
    const found = BULLET.exec(lines[next]);
    if (found && found[1].length <= depth + 1) {
      if (found[1].length < depth || /\d/.test(found[2]) !== isOrdered) break;
      items.push([found[3]]);
    } else if (lines[next].trim() && (/^\s/.test(lines[next]) || lines[next - 1]?.trim()) && !startsBlock(lines[next])) {
      items.at(-1).push(lines[next].slice(Math.min(depth + 2, lines[next].search(/\S/))));
    } else if (!lines[next].trim() && goesOn(lines[next + 1], depth)) items.at(-1).push("");
    else break;
    next += 1;
  }
  return { kind: "list", isOrdered, start: isOrdered ? parseInt(mark, 10) : 1, items, next };
}

const startsBlock = (line) => !/^\s/.test(line) && (HEADING.test(line) || FENCE.test(line) || RULE.test(line) || QUOTE.test(line));
const goesOn = (line, depth) => line !== undefined && line.trim() !== "" && line.search(/\S/) >= depth && (/^\s/.test(line) || BULLET.test(line));

function quoteAt(lines, at) {
  const inner = [];
  let next = at;
  for (; next < lines.length && QUOTE.test(lines[next]); next += 1) inner.push(QUOTE.exec(lines[next])[1]);
  return { kind: "quote", lines: inner, next };
}

function tableAt(lines, at) {
  const rows = [cellsOf(lines[at])];
  let next = at + 2;
  for (; next < lines.length && lines[next].includes("|"); next += 1) rows.push(cellsOf(lines[next]));
  return { kind: "table", rows, next };
}

const cellsOf = (line) => line.trim().replace(/^\||\|$/g, "").split("|").map((cell) => cell.trim());

function paragraphAt(lines, at) {
  let next = at + 1;
  while (next < lines.length && lines[next].trim() && !startsBlock(lines[next]) && !/^\s*([-*+]|1[.)])\s/.test(lines[next])) next += 1;
  return { kind: "paragraph", text: lines.slice(at, next).join("\n"), next };
}

function nodeOf(block, depth) {
  switch (block.kind) {
    case "code":
      return codeNode(block.text, block.language);
    case "heading":
      return h(`h${Math.min(6, block.level + 2)}`, {}, inline(block.text));
    case "rule":
      return h("hr");
    case "list":
      return h(block.isOrdered ? "ol" : "ul", block.isOrdered ? { start: block.start } : {}, block.items.map((lines) => h("li", {}, innerNodes(lines, depth))));
    case "quote":
      return h("blockquote", {}, innerNodes(block.lines, depth));
    case "table":
      return tableNode(block.rows);
    default:
      return h("p", {}, inline(block.text));
  }
}

function innerNodes(lines, depth) {
  if (depth >= MOST_NESTED) return [lines.join("\n")];
  const blocks = blocksOf(lines);
  const [first, ...rest] = blocks;
  if (first?.kind === "paragraph") return [...inline(first.text), ...rest.map((block) => nodeOf(block, depth + 1))];
  return blocks.map((block) => nodeOf(block, depth + 1));
}

function tableNode([head, ...rows]) {
  const row = (cells, name) => h("tr", {}, head.map((_, at) => h(name, {}, inline(cells[at] ?? ""))));
  return h("div", { class: "scroll" }, h("table", {}, h("thead", {}, row(head, "th")), h("tbody", {}, rows.map((cells) => row(cells, "td")))));
}

export function codeNode(text, language = "") {
  const bar = h("div", { class: "code-bar" }, h("span", {}, language), copyButton(() => text));
  return h("div", { class: "code" }, bar, h("pre", { tabIndex: 0, dir: "ltr" }, h("code", {}, text)));
}

// Within a line. Each rule looks for its own end from where it begins, once.
const MOST_MARKED = 2000; // characters between a mark and its end: what is longer was not meant, and costs too much to find
const MARKS = [
  ["***", "strong"],
  ["**", "strong"],
  ["__", "strong"],
  ["~~", "del"],
  ["*", "em"],
  ["_", "em"],
];
const URL_HERE = /^https?:\/\/[^\s<>"'`]+/;

function inline(text, depth = 0) {
  const nodes = [];
  let plain = "";
  const flush = () => {
    if (plain) nodes.push(plain);
    plain = "";
  };
  for (let at = 0; at < text.length; ) {
    const found = depth < MOST_NESTED ? markAt(text, at, depth) : null;
    if (found) {
      flush();
      nodes.push(...found.nodes);
      at = found.next;
    } else if (text[at] === "\\" && /[\\`*_{}[\]()#+\-.!~|>]/.test(text[at + 1] ?? "")) {
      plain += text[at + 1];
      at += 2;
    } else {
      const [run] = /^([*_~])\1*/.exec(text.slice(at, at + 64)) ?? [text[at]];
      plain += run;
      at += run.length;
    }
  }
  flush();
  return nodes;
}

function markAt(text, at, depth) {
  const sign = text[at];
  if (sign === "`") return codeAt(text, at);
  if (sign === "[") return linkAt(text, at, depth);
  if (sign === "h" && !/\w/.test(text[at - 1] ?? "")) return urlAt(text, at);
  if (sign !== "*" && sign !== "_" && sign !== "~") return null;
  for (const [mark, name] of MARKS) {
    if (!text.startsWith(mark, at) || /\s/.test(text[at + mark.length] ?? " ") || text[at + mark.length] === sign) continue;
    if (sign === "_" && /\w/.test(text[at - 1] ?? "")) continue;
    const end = endOf(text, at + mark.length, mark);
    if (end < 0) continue;
    const inner = inline(text.slice(at + mark.length, end), depth + 1);
    return { nodes: [h(name, {}, mark.length === 3 ? h("em", {}, inner) : inner)], next: end + mark.length };
  }
  return null;
}

function endOf(text, from, mark) {
  const near = text.slice(from, from + MOST_MARKED);
  for (let end = near.indexOf(mark, 1); end > 0; end = near.indexOf(mark, end + 1)) {
    const isClose = !/\s/.test(near[end - 1]) && !(mark.length === 1 && (near[end + 1] === mark || near[end - 1] === mark));
    if (isClose && !(mark[0] === "_" && /\w/.test(near[end + mark.length] ?? ""))) return from + end;
  }
  return -1;
}

function codeAt(text, at) {
  const mark = /^`+/.exec(text.slice(at, at + 16))[0];
  const end = text.indexOf(mark, at + mark.length);
  if (end < 0) return null;
  return { nodes: [h("code", {}, text.slice(at + mark.length, end).trim())], next: end + mark.length };
}

function linkAt(text, at, depth) {
  const middle = text.indexOf("](", at);
  const end = middle < 0 ? -1 : text.indexOf(")", middle);
  if (end < 0 || text.slice(at, end).includes("\n")) return null;
  const url = webUrl(text.slice(middle + 2, end).trim().split(/\s/)[0]);
  const label = text.slice(at + 1, middle);
  return url ? { nodes: [anchor(url, inline(label.replaceAll("[", ""), depth + 1))], next: end + 1 } : null;
}

function urlAt(text, at) {
  const found = URL_HERE.exec(text.slice(at, at + 2048))?.[0].replace(/[.,;:!?)\]*_]+$/, "");
  const url = found && webUrl(found);
  return url ? { nodes: [anchor(url, [found])], next: at + found.length } : null;
}

/** A URL that a click may open: of the web, and nothing that runs. */
function webUrl(text) {
  try {
    const url = new URL(text);
    return url.protocol === "http:" || url.protocol === "https:" ? url.href : null;
  } catch {
    return null;
  }
}

const anchor = (href, children) => h("a", { href, target: "_blank", rel: "noopener noreferrer nofollow", title: href }, children);
