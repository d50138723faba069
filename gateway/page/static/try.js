// A chat with the pool.

import { announce, copyButton, h, say, show } from "./dom.js";
import { duration, pace, plural } from "./format.js";
import { linesOf } from "./lines.js";
import { pool, subscribe } from "./live.js";
import { hostOf } from "./machine.js";
import { Prose, codeNode } from "./markdown.js";
import { DEFAULTS, Talk } from "./talk.js";

const FIELDS = [
  { name: "temperature", label: "Temperature", min: 0, max: 5, step: 0.1 },
  { name: "top_p", label: "Top p", min: 0, max: 1, step: 0.05 },
  { name: "top_k", label: "Top k", min: 0, max: 1024, step: 1 },
  { name: "min_p", label: "Min p", min: 0, max: 1, step: 0.01 },
  { name: "repeat_penalty", label: "Repeat penalty", min: 0.1, max: 10, step: 0.05 },
  { name: "max_tokens", label: "Most tokens", min: 1, max: 1000000, step: 1 },
  { name: "seed", label: "Seed", min: 0, max: Number.MAX_SAFE_INTEGER, step: 1, placeholder: "any" },
];
const NEAR_END_PX = 80;

let shown = null;
export const talk = new Talk(() => shown?.soon());
addEventListener("pagehide", () => talk.save());

export function tryView() {
  shown = new TryView();
  talk.resume();
  return shown;
}

class TryView {
  title = "Try it";

  constructor() {
    this.turns = h("div", { class: "turns" });
    this.greeting = h("p", { class: "empty" }, "Ask the pool something. It answers from whichever machine has a seat, and goes on from another one if that machine fails.");
    this.scroller = h("div", { class: "talk", role: "log", "aria-label": "Conversation", "aria-live": "off", tabIndex: 0 }, this.greeting, this.turns);
    this.lines = new Lines();
    this.node = h(
      "div",
      { class: "view try" },
      h("h1", { class: "unseen" }, "Try it"),
      h("div", { class: "try-main" }, this.scroller, this.composer()),
      h("aside", { class: "try-side", "aria-label": "How to ask" }, this.settings(), this.lines.node),
    );
    this.ends = [subscribe(() => this.offerModels())];
    this.drawn = [];
    this.changed();
  }

  end() {
    for (const end of this.ends) end();
    talk.draft = this.input.value;
    talk.save();
    shown = null;
  }

  composer() {
    this.input = h("textarea", { id: "ask", rows: 1, placeholder: "Ask something", value: talk.draft, onkeydown: (event) => this.key(event), oninput: () => this.grow(), autocomplete: "off" });
    this.send = h("button", { type: "submit", class: "main" }, "Send");
    this.stop = h("button", { type: "button", class: "main stop", onclick: () => talk.stop() }, "Stop");
    return h(
      "form",
      { class: "composer", onsubmit: (event) => this.submit(event) },
      h("label", { class: "unseen", for: "ask" }, "Your question"),
      this.input,
      this.send,
      this.stop,
    );
  }

  key(event) {
    // An Enter that ends a Korean syllable is no Enter.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    this.submit(event);
  }

  submit(event) {
    event.preventDefault();
    const text = this.input.value.trim();
    if (!text || talk.current) return;
    this.input.value = "";
    talk.draft = "";
    this.grow();
    talk.say(text);
    this.toEnd();
  }

  grow() {
    this.input.style.height = "auto";
    this.input.style.height = `${Math.min(220, this.input.scrollHeight + 2)}px`;
  }

  settings() {
    const { settings } = talk;
    const keep = (name) => (event) => {
      settings[name] = event.target.value;
      talk.save();
    };
    this.model = h("select", { id: "model", onchange: keep("model") });
    const system = h("textarea", { id: "system", rows: 2, value: settings.system, oninput: keep("system") });
    const fields = FIELDS.map(({ name, label, ...bounds }) => {
      const input = h("input", { id: `s-${name}`, type: "number", inputMode: "decimal", value: settings[name], oninput: keep(name), ...bounds });
      return { name, input, node: h("div", { class: "field" }, h("label", { for: `s-${name}` }, label), input) };
    });
    const reset = () => {
      Object.assign(settings, { ...DEFAULTS, model: settings.model });
      for (const { name, input } of fields) input.value = settings[name];
      system.value = settings.system;
      talk.save();
    };
    this.details = h(
      "details",
      { class: "panel", open: matchMedia("(min-width: 960px)").matches },
      h("summary", {}, "Settings"),
      h("div", { class: "field wide" }, h("label", { for: "model" }, "Model"), this.model),
      h("div", { class: "field wide" }, h("label", { for: "system" }, "System message"), system),
      h("div", { class: "fields" }, fields.map((each) => each.node)),
      h("div", { class: "row" }, h("button", { type: "button", class: "small", onclick: reset }, "Defaults"), h("button", { type: "button", class: "small", onclick: () => talk.clear() }, "New conversation")),
    );
    return this.details;
  }

  offerModels() {
    const names = (pool.now?.models ?? []).map((model) => model.id);
    const wanted = JSON.stringify(names);
    if (wanted === this.offered) return;
    this.offered = wanted;
    const first = pool.now?.models.find((model) => model.loaded)?.id ?? names[0];
    if (names.length && !names.includes(talk.settings.model)) talk.settings.model = first;
    this.model.replaceChildren(...names.map((name) => h("option", { value: name, selected: name === talk.settings.model }, name)));
    this.lines.update();
  }

  /** Draw with the next frame, however many tokens come before it. */
  soon() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      this.changed();
    });
  }

  changed() {
    const wasAtEnd = this.scroller.scrollHeight - this.scroller.scrollTop - this.scroller.clientHeight < NEAR_END_PX;
    this.draw();
    if (wasAtEnd) this.toEnd();
    show(this.greeting, talk.turns.length === 0);
    const isAnswering = Boolean(talk.current);
    show(this.send, !isAnswering);
    show(this.stop, isAnswering);
    this.stop.disabled = Boolean(talk.current?.isStopping);
    this.scroller.setAttribute("aria-busy", String(isAnswering));
    if (this.wasAnswering !== isAnswering) {
      announce(isAnswering ? "Answering." : talk.turns.length ? ENDED[talk.turns.at(-1).state] ?? "" : "");
      this.wasAnswering = isAnswering;
      this.lines.update();
    }
  }

  draw() {
    const { turns } = talk;
    let same = 0;
    while (same < this.drawn.length && this.drawn[same].turn === turns[same]) same += 1;
    for (const old of this.drawn.splice(same)) old.node.remove();
    for (const turn of turns.slice(same)) {
      const drawn = turn.role === "user" ? new Question(turn) : new Answer(turn);
      this.drawn.push(drawn);
      this.turns.append(drawn.node);
    }
    this.drawn.forEach((each, at) => each.update(at === turns.length - 1));
  }

  toEnd() {
    this.scroller.scrollTop = this.scroller.scrollHeight;
  }
}

const ENDED = { done: "The answer is complete.", stopped: "Stopped.", failed: "The answer failed." };

class Question {
  constructor(turn) {
    this.turn = turn;
    this.node = h("div", { class: "turn question" }, h("span", { class: "unseen" }, "You: "), h("p", { dir: "auto" }, turn.text));
  }

  update() {}
}

class Answer {
  constructor(turn) {
    this.turn = turn;
    this.prose = new Prose();
    this.thoughts = h("p", { dir: "auto" });
    this.reasoning = h("details", { class: "thoughts" }, h("summary", {}, "Thoughts"), this.thoughts);
    this.status = h("p", { class: "waits" });
    this.trouble = h("p", { class: "trouble" });
    this.meta = h("p", { class: "meta" });
    const again = h("button", { type: "button", class: "small", onclick: () => talk.again() }, "Regenerate");
    this.again = again;
    this.actions = h("div", { class: "row actions" }, copyButton(() => turn.text), again, h("a", { class: "small", href: `#/jobs/${turn.id}` }, "Timeline"));
    this.node = h("div", { class: "turn answer" }, h("span", { class: "unseen" }, "Answer: "), this.reasoning, this.prose.node, this.status, this.trouble, this.meta, this.actions);
  }

  update(isLast) {
    const { turn } = this;
    const isAnswering = turn.state === "answering";
    if (turn.text !== this.text) {
      this.text = turn.text;
      this.prose.update(turn.text);
    }
    this.node.classList.toggle("writing", isAnswering);
    say(this.thoughts, turn.reasoning);
    show(this.reasoning, Boolean(turn.reasoning));
    say(this.status, isAnswering ? waiting(turn) : "");
    show(this.status, isAnswering && this.status.textContent !== "");
    say(this.trouble, turn.state === "failed" ? turn.message : (turn.warning ?? ""));
    show(this.trouble, this.trouble.textContent !== "");
    say(this.meta, facts(turn));
    show(this.actions, !isAnswering);
    show(this.again, isLast);
  }
}

function waiting(turn) {
  if (turn.isStopping) return "Stopping …";
  if (turn.queued) {
    const { waiting: before, expected_wait_ms: wait, loading } = turn.queued;
    const told = before ? `${plural(before, "job")} before this one` : "Next in line";
    const load = loading === undefined ? "" : `, the model is loading (${Math.round(loading * 100)} %)`;
    return `${told}${wait ? `, about ${duration(wait)}` : ""}${load} …`;
  }
  return turn.text || turn.reasoning ? "" : turn.workers.length ? "Reading …" : "Asking …";
}

function facts(turn) {
  const names = turn.workers.map(hostOf);
  const told = [names.join(" → ")];
  if (turn.usage) {
    const { completion_tokens: tokens, prompt_tokens: prompt, cached_tokens: cached } = turn.usage;
    told.push(plural(tokens, "token"));
    // What is timed is the last worker's part.
    const took = turn.workers.length > 1 ? turn.endedAtMs - turn.firstAtMs : turn.timings?.decode_ms;
    if (took > 0) told.push(`${pace((tokens * 1000) / took)} tokens/s`);
    told.push(`prompt ${plural(prompt, "token")}${cached ? `, ${cached} cached` : ""}`);
  }
  if (turn.firstAtMs) told.push(`first after ${duration(turn.firstAtMs - turn.askedAtMs)}`);
  if (turn.reason === "length") told.push("cut at the limit");
  if (turn.state === "stopped") told.push("stopped");
  return told.filter(Boolean).join(" · ");
}

class Lines {
  constructor() {
    this.name = "curl";
    this.code = h("div", {});
    this.tabs = ["curl", "Python", "Node"].map((name) => h("button", { type: "button", role: "tab", id: `tab-${name}`, "aria-controls": "lines", onclick: () => this.choose(name), onkeydown: (event) => this.key(event) }, name));
    this.body = h("div", { role: "tabpanel", id: "lines" }, this.code);
    this.node = h("section", { class: "panel", "aria-labelledby": "lines-title" }, h("h2", { id: "lines-title" }, "The same from elsewhere"), h("div", { class: "tabs", role: "tablist", "aria-labelledby": "lines-title" }, this.tabs), this.body);
  }

  key(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const next = this.tabs[(this.tabs.indexOf(event.target) + step + this.tabs.length) % this.tabs.length];
    next.focus();
    this.choose(next.textContent);
  }

  choose(name) {
    this.name = name;
    this.update();
  }

  update() {
    const body = talk.lastBody ?? { model: talk.settings.model || undefined, messages: [{ role: "user", content: "안녕하세요" }] };
    const texts = linesOf(body, talk.settings.model);
    for (const tab of this.tabs) {
      const isChosen = tab.textContent === this.name;
      tab.setAttribute("aria-selected", String(isChosen));
      tab.tabIndex = isChosen ? 0 : -1;
    }
    this.body.setAttribute("aria-labelledby", `tab-${this.name}`);
    const text = texts[this.name];
    if (this.shown === text) return;
    this.shown = text;
    this.code.replaceChildren(codeNode(text, this.name));
  }
}
