// A machine as a card: its state, each model that it serves with the seats, and how it fares.

import { h, keyed, say, show, svg } from "./dom.js";
import { bytes, duration, pace, percent, plural, whole } from "./format.js";

const LEASE_MS = 2000;
const LATE_MS = 1500; // without a heartbeat: it beats every half second
const MOST_SEATS = 96;
const WORDS = { ready: "ready", loading: "loading", draining: "draining", standby: "on demand", sick: "resting", stalled: "stalled", gone: "gone", left: "left" };
const GRAVITY = ["gone", "stalled", "sick", "broken", "loading", "draining", "ready", "standby", "left"];

/** The machine's name in a worker's: `<host>.<pid>.<random>`. */
export function hostOf(worker = "") {
  return worker.split(".").slice(0, -2).join(".") || worker;
}

export function stateOf(worker) {
  const isThere = worker.state !== "gone" && worker.state !== "left";
  return isThere && LEASE_MS - worker.lease_ends_in_ms > LATE_MS ? "stalled" : worker.state;
}

const isPresent = (worker) => !["gone", "left"].includes(worker.state);

/** The machines with their workers; of one that is there and has one missing, that counts. */
export function machinesOf(workers) {
  const machines = new Map();
  for (const worker of workers) {
    const host = worker.host || hostOf(worker.id);
    if (!machines.has(host)) machines.set(host, { host, workers: [] });
    machines.get(host).workers.push(worker);
  }
  const byModel = (one, other) => one.model.localeCompare(other.model) || one.id.localeCompare(other.id);
  return [...machines.values()]
    .map((each) => ({ ...each, workers: each.workers.sort(byModel), state: stateOfAll(each.workers) }))
    .sort((one, other) => one.host.localeCompare(other.host, undefined, { numeric: true }));
}

function stateOfAll(workers) {
  const states = workers.map(stateOf);
  return GRAVITY.find((state) => states.includes(state)) ?? states[0];
}

export function makeMachine() {
  const parts = {
    dot: h("span", { class: "dot", "aria-hidden": "true" }),
    name: h("h3"),
    state: h("span", { class: "state" }),
    device: h("p", { class: "device" }),
    models: h("div", { class: "models" }),
    beat: h("span"),
    jobs: h("span"),
    deaths: h("span", { class: "warn" }),
    note: h("p", { class: "note" }),
  };
  parts.node = h(
    "article",
    { class: "card" },
    h("header", {}, parts.dot, parts.name, parts.state),
    parts.device,
    parts.models,
    parts.note,
    h("footer", {}, parts.beat, parts.jobs, parts.deaths),
  );
  return parts;
}

export function updateMachine(card, { host, workers, state }, paces) {
  card.node.dataset.state = state;
  say(card.name, host);
  say(card.state, WORDS[state] ?? state);
  card.node.setAttribute("aria-label", `${host}, ${WORDS[state] ?? state}`);
  const first = workers[0];
  say(card.device, [first.device === "none" ? "" : first.device, first.version && `v${first.version}`].filter(Boolean).join(" · "));
  keyed(card.models, workers, (worker) => worker.id, makeModel, (made, worker) => updateModel(made, worker, paces.get(worker.id) ?? []));
  updateFooter(card, workers, state);
}

function updateFooter(card, workers, state) {
  const present = workers.filter(isPresent);
  const age = Math.max(0, ...present.map((worker) => LEASE_MS - worker.lease_ends_in_ms));
  say(card.beat, present.length ? `heartbeat ${duration(age)}` : WORDS[state]);
  card.beat.className = state === "stalled" ? "warn" : "";
  say(card.jobs, plural(sum(workers, "jobs_done"), "job"));
  const deaths = sum(workers, "engine_deaths");
  say(card.deaths, deaths ? plural(deaths, "engine death") : "");
  const note = [...new Set(workers.map((worker) => worker.note).filter(Boolean))].join(" · ");
  say(card.note, note);
  show(card.note, Boolean(note));
}

const sum = (workers, name) => workers.reduce((total, worker) => total + worker[name], 0);

function makeModel() {
  const parts = {
    name: h("strong"),
    state: h("span", { class: "muted" }),
    bar: h("progress", { max: 1 }),
    seats: h("div", { class: "seats", role: "img" }),
    pace: h("b"),
    line: svg("polyline", { class: "spark-line" }),
    memory: memoryBar(),
    cache: h("span"),
  };
  parts.spark = svg("svg", { class: "spark", viewBox: "0 0 120 24", preserveAspectRatio: "none", "aria-hidden": "true" }, parts.line);
  parts.body = h("div", { class: "model-body" }, parts.seats, h("div", { class: "pace" }, h("span", {}, parts.pace, " tokens/s"), parts.spark), parts.memory.node, parts.cache);
  parts.node = h("section", { class: "model" }, h("div", { class: "model-head" }, parts.name, parts.state), parts.bar, parts.body);
  return parts;
}

function updateModel(parts, worker, paces) {
  const state = stateOf(worker);
  parts.node.dataset.state = state;
  say(parts.name, worker.model);
  say(parts.state, besides(worker, state));
  show(parts.bar, state === "loading");
  if (worker.progress) parts.bar.value = worker.progress;
  else parts.bar.removeAttribute("value");
  parts.bar.setAttribute("aria-label", `loading ${worker.model}`);
  show(parts.body, isPresent(worker) && worker.slots > 0);
  updateSeats(parts.seats, worker);
  say(parts.pace, pace(worker.busy ? worker.tokens_per_second : 0));
  parts.line.setAttribute("points", sparkPoints(paces));
  parts.memory.update(worker);
  const saved = worker.prompt_tokens ? worker.cache_saved_tokens / worker.prompt_tokens : null;
  parts.cache.className = "cache";
  say(parts.cache, saved === null ? "" : `prompt cache saves ${percent(saved)}${worker.cache_bytes ? `, holds ${bytes(worker.cache_bytes)}` : ""}`);
  show(parts.cache, saved !== null);
}

function besides(worker, state) {
  if (state === "loading" && worker.progress) return percent(worker.progress);
  if (state === "standby") return worker.load_s ? `loads in ${duration(worker.load_s * 1000)}` : "loads on demand";
  if (worker.pressure) return worker.pressure === "hard" ? "out of memory: hands jobs back" : "short of memory";
  if (!isPresent(worker)) return worker.state === "gone" ? "not heard of any more" : "left as it was told to";
  return worker.slots ? `${worker.busy} of ${plural(worker.slots, "seat")}` : "";
}

function updateSeats(node, worker) {
  const shown = Math.min(worker.slots, MOST_SEATS);
  while (node.children.length > shown) node.lastChild.remove();
  while (node.children.length < shown) node.append(h("i"));
  const taken = Math.round((worker.busy * shown) / Math.max(1, worker.slots));
  [...node.children].forEach((seat, at) => seat.classList.toggle("taken", at < taken));
  node.setAttribute("aria-label", `${whole(worker.busy)} of ${plural(worker.slots, "seat")} taken`);
}

function sparkPoints(paces) {
  const most = Math.max(1, ...paces);
  const step = 120 / 59;
  const from = 60 - paces.length;
  return paces.map((each, at) => `${((from + at) * step).toFixed(1)},${(22.5 - (each / most) * 21).toFixed(1)}`).join(" ");
}

function memoryBar() {
  const parts = ["weights", "kv", "cache"].map((name) => h("i", { class: `memory-${name}` }));
  const text = h("span");
  const bar = h("div", { class: "memory-bar", role: "img" }, parts);
  const node = h("div", { class: "memory" }, bar, text);
  return { node, update };

  function update(worker) {
    show(node, worker.memory_bytes > 0);
    if (!worker.memory_bytes) return;
    const most = Math.max(worker.memory_limit_bytes, worker.memory_bytes);
    const rest = Math.max(0, worker.memory_bytes - worker.kv_bytes - worker.cache_bytes);
    [rest, worker.kv_bytes, worker.cache_bytes].forEach((size, at) => {
      parts[at].style.width = `${(100 * size) / most}%`;
    });
    const told = worker.memory_limit_bytes ? `${bytes(worker.memory_bytes)} of ${bytes(worker.memory_limit_bytes)}` : bytes(worker.memory_bytes);
    say(text, told);
    bar.setAttribute("aria-label", `memory: ${told}`);
  }
}
