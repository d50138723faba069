// The pool's state, by one stream for the whole page: whoever shows some of it subscribes.

import { Refusal, ask, eventsIn } from "./api.js";

const POINTS = 400;
const PACES = 60;
const SILENT_MS = 8000; // then the stream is taken for dead, and asked for again

export const pool = {
  link: "connecting", // live, connecting, signed-out
  trouble: "",
  version: "",
  mayOperate: false,
  queueUrl: null,
  now: null,
  points: [],
  paces: new Map(),
};

const subscribers = new Set();
let following = null;

/** Call `update` now and whenever something is new; returns what ends that. */
export function subscribe(update) {
  subscribers.add(update);
  update(pool);
  return () => subscribers.delete(update);
}

export function follow() {
  following?.abort();
  following = new AbortController();
  run(following);
}

export function stop() {
  following?.abort();
  following = null;
  tell({ link: "signed-out", now: null });
}

async function run(own) {
  for (let failures = 0; !own.signal.aborted; ) {
    const began = Date.now();
    try {
      await readAll(own);
    } catch (error) {
      if (own.signal.aborted || (error instanceof Refusal && error.status === 401)) return;
      tell({ trouble: error instanceof Refusal ? error.message : "The gateway can't be reached." });
    }
    if (own.signal.aborted) return;
    failures = Date.now() - began > 5000 ? 0 : failures + 1;
    tell({ link: "connecting" });
    await new Promise((resolve) => setTimeout(resolve, Math.min(5000, 250 * 2 ** failures)));
  }
}

async function readAll(own) {
  const silence = new AbortController();
  let timer = setTimeout(() => silence.abort(), SILENT_MS);
  const stop = () => silence.abort();
  own.signal.addEventListener("abort", stop);
  try {
    const answer = await ask("pool/events", { headers: { accept: "text/event-stream" }, signal: silence.signal });
    for await (const event of eventsIn(answer)) {
      clearTimeout(timer);
      timer = setTimeout(() => silence.abort(), SILENT_MS);
      const told = JSON.parse(event.data);
      if (event.event === "hello") greet(told);
      else hear(told);
    }
  } finally {
    clearTimeout(timer);
    own.signal.removeEventListener("abort", stop);
  }
}

function greet(told) {
  pool.points = told.points;
  pool.paces = new Map(Object.entries(told.paces));
  tell({
    link: "live",
    version: told.version,
    mayOperate: told.may_operate,
    queueUrl: told.queue_url,
    now: told.now,
    trouble: "",
  });
}

function hear(now) {
  if (!now.fault && now.point) pool.points = [...pool.points, now.point].slice(-POINTS);
  for (const worker of now.workers) {
    const paces = pool.paces.get(worker.id) ?? [];
    pool.paces.set(worker.id, [...paces, worker.busy ? worker.tokens_per_second : 0].slice(-PACES));
  }
  tell({ link: "live", now, trouble: "" });
}

function tell(changes) {
  Object.assign(pool, changes);
  for (const update of subscribers) update(pool);
}
