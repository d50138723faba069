// A job's life as a timeline across machines.

import { Refusal, ask } from "./api.js";
import { h, say, show } from "./dom.js";
import { duration, moment, plural } from "./format.js";
import { hostOf } from "./machine.js";
import { talk } from "./try.js";

const AGAIN_MS = 1000;
const WORDS = {
  queued: "queued",
  claimed: "claimed by",
  started: "reading the prompt",
  first_token: "first token",
  given_back: "back in the queue",
  done: "done",
  error: "failed",
  cancelled: "cancelled",
};
const ENDS = new Set(["done", "error", "cancelled"]);

export function jobsView(id) {
  return new JobsView(id);
}

class JobsView {
  title = "Jobs";

  constructor(id) {
    this.id = id;
    const input = h("input", { id: "job-id", type: "search", value: id, placeholder: "a job's id", autocomplete: "off", spellcheck: false });
    const find = (event) => {
      event.preventDefault();
      if (input.value.trim()) location.hash = `#/jobs/${encodeURIComponent(input.value.trim())}`;
    };
    this.trouble = h("p", { class: "trouble", role: "alert", hidden: true });
    this.story = h("div", { class: "stack" });
    this.node = h(
      "div",
      { class: "view" },
      h("h1", {}, "A job's life"),
      h("form", { class: "finder", role: "search", onsubmit: find }, h("label", { class: "unseen", for: "job-id" }, "The job's id"), input, h("button", { type: "submit", class: "main" }, "Show")),
      this.trouble,
      this.story,
      id ? null : recent(),
    );
    if (id) this.look();
  }

  end() {
    clearTimeout(this.timer);
    this.hasEnded = true;
  }

  async look() {
    let life = null;
    try {
      life = await (await ask(`pool/jobs/${encodeURIComponent(this.id)}`)).json();
      show(this.trouble, false);
    } catch (error) {
      say(this.trouble, error instanceof Refusal ? error.message : "The gateway can't be reached.");
      show(this.trouble, true);
    }
    if (this.hasEnded) return;
    if (life) this.story.replaceChildren(...drawn(life));
    if (life ? life.state !== "ended" : false) this.timer = setTimeout(() => this.look(), AGAIN_MS);
  }
}

function recent() {
  const asked = talk.turns.filter((turn) => turn.role === "assistant");
  if (!asked.length) return h("p", { class: "empty" }, "An id stands in the header x-job-id, in the first event of a stream, in the logs, and below each answer of Try it. What has ended is known for ten minutes.");
  const row = (turn, at) => h("li", {}, h("a", { href: `#/jobs/${turn.id}` }, `answer ${at + 1}`), ` ${turn.text.slice(0, 80)}`);
  return h("section", { class: "panel" }, h("h2", {}, "Asked from this page"), h("ul", { class: "plain-list" }, asked.map(row)));
}

function drawn(life) {
  const { steps } = life;
  const began = steps.find((step) => step.at_ms !== undefined)?.at_ms ?? 0;
  const ended = steps.find((step) => ENDS.has(step.what));
  // Times are Redis's, whose clock need not be this machine's.
  const until = ended?.at_ms ?? Math.max(Date.now(), ...steps.map((step) => (step.at_ms ?? 0) + 1));
  return [
    h(
      "dl",
      { class: "figures" },
      fact("state", ended ? WORDS[ended.what] : life.state),
      fact("took", began ? duration(until - began) : "–"),
      fact("attempts", String(life.attempts)),
      fact("tokens", String(life.tokens)),
      fact("class", life.job_class),
      fact("model", life.model, "words"),
    ),
    lanes(life, began, until),
    list(steps, began),
  ];
}

const fact = (name, value, kind) => h("div", {}, h("dt", {}, name), h("dd", { class: kind }, value || "–"));

/** The spans of a life: where it was, from when to when, and what it was about then. */
function spansOf(steps, until) {
  const spans = [];
  let waits = steps[0]?.at_ms;
  for (let at = 0; at < steps.length; at += 1) {
    const step = steps[at];
    if (step.what !== "claimed") continue;
    if (step.at_ms === undefined) continue;
    if (waits !== undefined) spans.push({ lane: "queue", from: waits, to: step.at_ms, kind: "waits" });
    const rest = steps.slice(at + 1);
    const next = rest.findIndex((each) => each.what === "claimed");
    const own = next < 0 ? rest : rest.slice(0, next);
    const back = own.find((each) => each.what === "given_back");
    const first = own.find((each) => each.what === "first_token");
    const to = back?.at_ms ?? own.find((each) => ENDS.has(each.what))?.at_ms ?? until;
    const lane = hostOf(step.worker) || "a machine";
    if (first?.at_ms !== undefined && first.at_ms > step.at_ms && first.at_ms < to) {
      spans.push({ lane, from: step.at_ms, to: first.at_ms, kind: "reads" }, { lane, from: first.at_ms, to, kind: "writes" });
    } else spans.push({ lane, from: step.at_ms, to, kind: "works" });
    waits = back?.at_ms;
  }
  const isClaimed = steps.some((step) => step.what === "claimed");
  if (!isClaimed || (waits !== undefined && !steps.some((step) => ENDS.has(step.what)))) spans.push({ lane: "queue", from: waits ?? until, to: until, kind: "waits" });
  return spans;
}

const KINDS = { waits: "waiting", reads: "reading the prompt", writes: "writing", works: "reading and writing" };

function lanes(life, began, until) {
  const spans = spansOf(life.steps, until).filter((span) => span.from !== undefined);
  const total = Math.max(1, until - began);
  const names = [...new Set(["queue", ...spans.map((span) => span.lane)])];
  const bar = ({ from, to, kind }) =>
    h("i", {
      "data-kind": kind,
      title: `${KINDS[kind]} for ${duration(to - from)}`,
      style: { left: `${(100 * (from - began)) / total}%`, width: `${Math.max(0.4, (100 * (to - from)) / total)}%` },
    });
  const told = (name) => spans.filter((span) => span.lane === name).map((span) => `${KINDS[span.kind]} for ${duration(span.to - span.from)}`);
  const row = (name) =>
    h("div", { class: "lane" }, h("span", { class: "lane-name" }, name), h("div", { class: "lane-bar", role: "img", "aria-label": told(name).join(", ") || "nothing" }, spans.filter((span) => span.lane === name).map(bar)));
  const keys = Object.entries(KINDS)
    .filter(([kind]) => spans.some((span) => span.kind === kind))
    .map(([kind, label]) => h("span", { class: "key" }, h("i", { "data-kind": kind }), label));
  return h("section", { class: "panel", "aria-label": "Timeline" }, names.map(row), h("div", { class: "lane axis" }, h("span"), h("div", {}, h("span", {}, "0"), h("span", {}, duration(total)))), h("div", { class: "keys" }, keys));
}

function list(steps, began) {
  const row = (step) => {
    const when = step.at_ms === undefined ? "" : `${step.is_about ? "about " : ""}+${duration(step.at_ms - began)}`;
    return h(
      "li",
      { "data-grave": String(step.what === "error") },
      h("time", { title: step.at_ms === undefined ? "nobody wrote down when" : moment(step.at_ms) }, when),
      h("span", {}, h("b", {}, WORDS[step.what] ?? step.what), step.what === "claimed" ? ` ${step.worker}` : "", step.attempt > 1 && step.what === "claimed" ? `, attempt ${step.attempt}` : "", step.note ? h("span", { class: "muted" }, ` ${step.note}`) : null),
    );
  };
  return h("section", { class: "panel" }, h("h2", {}, plural(steps.length, "step")), h("ol", { class: "incidents" }, steps.map(row)));
}
