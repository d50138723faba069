// A conversation: asking, reading the stream, stopping, and going on with it after a break or a reload.

import { Refusal, ask, eventsIn } from "./api.js";

const PLACE = "mlx-pool.talk";
const LINGER_MS = 120000; // how long a job goes on without this page: a reload takes less
const TRIES = 8;
const ENDS = new Set(["done", "error", "cancelled"]);

export const DEFAULTS = { model: "", system: "", temperature: 0.7, top_p: 0.95, top_k: 40, min_p: 0, repeat_penalty: 1.1, max_tokens: 512, seed: "" };

export class Talk {
  constructor(onChange) {
    this.onChange = onChange;
    this.turns = [];
    this.settings = { ...DEFAULTS };
    this.draft = "";
    this.lastBody = null;
    this.reading = null;
    this.load();
  }

  get current() {
    const last = this.turns.at(-1);
    return last?.role === "assistant" && last.state === "answering" ? last : null;
  }

  /** Ask something new. */
  say(text) {
    this.turns.push({ role: "user", text });
    this.answer();
  }

  /** Ask for another answer to the last question. */
  again() {
    if (this.turns.at(-1)?.role === "assistant") this.turns.pop();
    if (this.turns.at(-1)?.role === "user") this.answer();
  }

  /** Begin anew; an answer that is under way is wanted no more. */
  clear() {
    this.reading?.abort();
    this.reading = null;
    if (this.current) ask(`chat/${this.current.id}`, { method: "DELETE" }).catch(() => {}); // else it ends by itself
    this.turns = [];
    this.lastBody = null;
    this.save();
    this.onChange();
  }

  answer() {
    const turn = { role: "assistant", text: "", reasoning: "", id: newId(), place: "", state: "answering", workers: [], askedAtMs: Date.now() };
    this.lastBody = bodyOf(this.turns, this.settings);
    this.turns.push(turn);
    this.save();
    this.onChange();
    this.read(turn, { ...this.lastBody, id: turn.id, stream: true, linger_ms: LINGER_MS });
  }

  /** Go on with an answer that a reload has cut off. */
  resume() {
    if (this.current && !this.reading) this.read(this.current, null);
  }

  /** Stop the answer; what has come stays. */
  async stop() {
    const turn = this.current;
    if (!turn) return;
    turn.isStopping = true;
    this.onChange();
    try {
      await ask(`chat/${turn.id}`, { method: "DELETE" });
    } catch {
      this.reading?.abort(); // it was not there yet: without this page it ends by itself
      this.end(turn, { state: "stopped" });
    }
  }

  async read(turn, body) {
    const reading = (this.reading = new AbortController());
    for (let failures = 0; !reading.signal.aborted; failures += 1) {
      const seen = turn.place;
      try {
        await this.readOnce(turn, turn.place ? null : body, reading.signal);
      } catch (error) {
        if (reading.signal.aborted) return;
        if (error instanceof Refusal && !error.mayRetry) return this.fail(turn, error.message);
        if (error instanceof Refusal && !turn.place) return this.fail(turn, error.message);
      }
      if (turn.state !== "answering") return;
      if (turn.place !== seen) failures = 0;
      if (failures >= TRIES) return this.fail(turn, "The gateway can't be reached.");
      await new Promise((resolve) => setTimeout(resolve, Math.min(4000, 200 * 2 ** failures)));
    }
  }

  async readOnce(turn, body, signal) {
    const headers = { accept: "text/event-stream", ...(turn.place ? { "last-event-id": turn.place } : {}) };
    const path = body ? "chat?queued=true" : `chat/${turn.id}?queued=true`;
    const answer = await ask(path, body ? { method: "POST", body, headers, signal } : { headers, signal });
    for await (const event of eventsIn(answer)) this.hear(turn, JSON.parse(event.data), event.id);
  }

  hear(turn, event, place) {
    turn.queued = event.status === "queued" ? event : null;
    if (event.status === "started") this.started(turn, event);
    if (event.status === "token") {
      turn.firstAtMs ??= Date.now();
      turn.text += event.content;
      turn.reasoning += event.reasoning ?? "";
      for (const call of event.tool_calls ?? []) turn.text += `\n\n\`${call.name}(${call.arguments})\`\n`;
      if (event.warning) turn.warning = event.warning;
    }
    if (place) turn.place = place;
    if (ENDS.has(event.status)) return this.finish(turn, event);
    this.changed(turn);
  }

  started(turn, event) {
    if (turn.workers.at(-1) !== event.worker) turn.workers.push(event.worker);
    turn.model = event.model;
    turn.jobId = event.id;
  }

  finish(turn, event) {
    if (event.status === "done") return this.end(turn, { state: "done", reason: event.reason, usage: event.usage, timings: event.timings });
    if (event.status === "cancelled") return this.end(turn, { state: "stopped" });
    return this.fail(turn, event.error?.message ?? "The job failed.");
  }

  fail(turn, message) {
    this.end(turn, { state: "failed", message });
  }

  end(turn, changes) {
    Object.assign(turn, changes, { endedAtMs: Date.now(), queued: null });
    this.reading = null;
    this.save();
    this.onChange();
  }

  changed(turn) {
    this.saveSoon();
    this.onChange();
  }

  saveSoon() {
    this.timer ??= setTimeout(() => this.save(), 500);
  }

  save() {
    clearTimeout(this.timer);
    this.timer = null;
    const { turns, settings, draft, lastBody } = this;
    try {
      sessionStorage.setItem(PLACE, JSON.stringify({ turns, settings, draft, lastBody }));
    } catch {
      // A full store: then a reload begins anew.
    }
  }

  load() {
    try {
      const kept = JSON.parse(sessionStorage.getItem(PLACE) ?? "{}");
      this.turns = kept.turns ?? [];
      this.settings = { ...DEFAULTS, ...kept.settings };
      this.draft = kept.draft ?? "";
      this.lastBody = kept.lastBody ?? null;
    } catch {
      sessionStorage.removeItem(PLACE);
    }
  }
}

/** The job as it is asked for; what stands at the pool's default is left out. */
function bodyOf(turns, settings) {
  const messages = turns.filter(({ text }) => text).map(({ role, text }) => ({ role, content: text }));
  if (settings.system.trim()) messages.unshift({ role: "system", content: settings.system });
  const body = settings.model ? { model: settings.model } : {};
  body.messages = messages;
  for (const name of ["temperature", "top_p", "top_k", "min_p", "repeat_penalty", "max_tokens"]) {
    if (Number(settings[name]) !== DEFAULTS[name] && settings[name] !== "") body[name] = Number(settings[name]);
  }
  if (settings.seed !== "") body.seed = Number(settings.seed);
  return body;
}

function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16)); // randomUUID is for TLS and this machine only
  return `page-${[...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}
