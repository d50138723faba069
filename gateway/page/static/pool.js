// The pool at a glance: figures, plots, machines, queues, and what happened last.

import { h, keyed, say, show } from "./dom.js";
import { briefly, clock, duration, pace, plural, whole } from "./format.js";
import { subscribe } from "./live.js";
import { hostOf, machinesOf, makeMachine, stateOf, updateMachine } from "./machine.js";
import { Plot } from "./plots.js";

const SERVING = new Set(["ready", "standby"]);
const BROKEN = new Set(["gone", "stalled", "sick"]);
const CLASSES = { hi: "hi", std: "std", lo: "lo", re: "given back", sus: "suspects" };

export function poolView() {
  const figures = new Figures();
  const plots = [
    new Plot("Tokens a second", [{ label: "all machines", colour: "accent", filled: true, value: (point) => point.tokens_per_second }], pace),
    new Plot(
      "First token",
      [
        { label: "median", colour: "accent", value: (point) => point.first_token_ms },
        { label: "1 in 20 above", colour: "amber", value: (point) => point.slow_first_token_ms },
      ],
      duration,
      briefly,
      1000,
    ),
    new Plot(
      "Wait",
      [
        { label: "oldest", colour: "amber", filled: true, value: (point) => point.oldest_wait_ms },
        { label: "expected", colour: "accent", value: (point) => point.expected_wait_ms },
      ],
      duration,
      briefly,
      1000,
    ),
  ];
  const machines = h("div", { class: "cards" });
  const queues = h("div", { class: "queues" });
  const incidents = h("ol", { class: "incidents" });
  const none = h("p", { class: "empty" }, "No machine serves this pool yet. ", h("a", { href: "#/connect" }, "How one joins"), ".");
  const quiet = h("p", { class: "empty" }, "Nothing has happened since this gateway began to look.");
  const node = h(
    "div",
    { class: "view" },
    h("h1", { class: "unseen" }, "Pool"),
    figures.node,
    h("div", { class: "plots" }, plots.map((plot) => plot.node)),
    h("section", { "aria-labelledby": "machines" }, h("h2", { id: "machines" }, "Machines"), machines, none),
    h(
      "div",
      { class: "two" },
      h("section", { class: "panel", "aria-labelledby": "queues" }, h("h2", { id: "queues" }, "Queues"), queues),
      h("section", { class: "panel", "aria-labelledby": "lately" }, h("h2", { id: "lately" }, "Lately"), incidents, quiet),
    ),
  );
  const end = subscribe(({ now, points, paces }) => {
    if (!now) return;
    figures.update(now);
    for (const plot of plots) plot.update(points);
    keyed(machines, machinesOf(now.workers), (each) => each.host, makeMachine, (card, each) => updateMachine(card, each, paces));
    show(none, now.workers.length === 0);
    const loaded = new Map(now.models.map((model) => [model.id, model.loaded]));
    keyed(queues, now.queues.map((queue) => ({ ...queue, isLoaded: loaded.get(queue.model) })), (queue) => queue.model, makeQueue, updateQueue);
    updateIncidents(incidents, now.incidents);
    show(quiet, now.incidents.length === 0);
  });
  return {
    node,
    title: "Pool",
    end() {
      end();
      for (const plot of plots) plot.end();
    },
  };
}

class Figures {
  constructor() {
    this.values = {};
    const one = (name, label) => {
      this.values[name] = h("dd", {}, "–");
      return h("div", {}, h("dt", {}, label), this.values[name]);
    };
    this.node = h(
      "dl",
      { class: "figures" },
      one("pace", "tokens/s"),
      one("seats", "seats taken"),
      one("waiting", "waiting"),
      one("oldest", "oldest waits"),
      one("machines", "machines ready"),
      one("dead", "dead letters"),
    );
  }

  update(now) {
    const ready = now.workers.filter((worker) => worker.state === "ready" && stateOf(worker) === "ready");
    const total = (rows, name) => rows.reduce((sum, row) => sum + row[name], 0);
    const machines = machinesOf(now.workers).filter((each) => each.state !== "left");
    const serving = machines.filter((each) => each.workers.some((worker) => SERVING.has(stateOf(worker))));
    say(this.values.pace, pace(now.point?.tokens_per_second ?? 0));
    say(this.values.seats, `${whole(total(ready, "busy"))} / ${whole(total(ready, "slots"))}`);
    say(this.values.waiting, whole(total(now.queues, "waiting")));
    say(this.values.oldest, duration(Math.max(0, ...now.queues.map((queue) => queue.oldest_wait_ms))));
    say(this.values.machines, `${serving.length} / ${machines.length}`);
    this.values.machines.classList.toggle("bad", machines.some((each) => BROKEN.has(each.state)));
    const dead = total(now.queues, "dead_letters");
    say(this.values.dead, whole(dead));
    this.values.dead.classList.toggle("bad", dead > 0);
  }
}

function makeQueue() {
  const parts = { name: h("strong"), told: h("span", { class: "muted" }), classes: h("div", { class: "classes" }), facts: h("p", { class: "facts" }) };
  parts.node = h("section", { class: "queue" }, h("div", { class: "model-head" }, parts.name, parts.told), parts.classes, parts.facts);
  return parts;
}

function updateQueue(parts, queue) {
  say(parts.name, queue.model);
  say(parts.told, `${whole(queue.running)} running, ${whole(queue.waiting)} waiting`);
  const classes = Object.entries(CLASSES)
    .map(([name, label]) => ({ name, label, count: queue.waiting_by_class[name] ?? 0, wait: queue.expected_wait_ms_by_class?.[name] }))
    .filter(({ name, count }) => count || name === "hi" || name === "std" || name === "lo");
  keyed(parts.classes, classes, (each) => each.name, makeClass, (made, each) => {
    say(made.count, whole(each.count));
    say(made.wait, each.wait ? ` ~ ${duration(each.wait)}` : "");
    made.node.classList.toggle("some", each.count > 0);
  });
  const facts = [
    queue.waiting ? `the oldest for ${duration(queue.oldest_wait_ms)}` : "nobody waits",
    expectation(queue),
    queue.dead_letters ? plural(queue.dead_letters, "dead letter") : "",
  ];
  say(parts.facts, facts.filter(Boolean).join(" · "));
}

function expectation({ expected_wait_ms: wait, isLoaded }) {
  if (isLoaded === false) return "a new one waits for the model to be loaded";
  if (wait === null) return "the wait of a new one is not known";
  return wait ? `a new one waits about ${duration(wait)}` : "a new one begins at once";
}

function makeClass({ label, name }) {
  const count = h("b");
  const wait = h("span", { title: "what a new job waits, about" });
  return { count, wait, node: h("span", { class: "class", "data-class": name }, label, " ", count, wait) };
}

const SAID = {
  joined: ({ worker }) => `${hostOf(worker)} joined`,
  left: ({ worker }) => `${hostOf(worker)} left as it was told to`,
  gone: ({ worker }) => `${hostOf(worker)} is gone: it was not told to leave`,
  engine_died: ({ worker, count }) => `${plural(count, "engine")} died on ${hostOf(worker)}`,
  dead_letter: ({ model, count }) => `${plural(count, "new dead letter")} of ${model}`,
  job_failed: ({ model, what }) => `a job of ${model} failed: ${what}`,
};
const GRAVE = new Set(["gone", "engine_died", "dead_letter", "job_failed"]);

function updateIncidents(list, incidents) {
  const key = (each) => `${each.at_ms} ${each.kind} ${each.worker} ${each.job} ${each.model}`;
  keyed(list, incidents, key, makeIncident, () => {});
}

function makeIncident(incident) {
  const said = SAID[incident.kind]?.(incident) ?? incident.kind;
  const link = incident.job ? h("a", { href: `#/jobs/${incident.job}` }, "its life") : incident.kind === "dead_letter" ? h("a", { href: "#/dead" }, "look") : null;
  const node = h("li", { "data-grave": String(GRAVE.has(incident.kind)) }, h("time", {}, clock(incident.at_ms)), h("span", { title: incident.worker }, said, " ", link));
  return { node };
}
