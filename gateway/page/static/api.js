// Asking the gateway. Every URL is relative to the page's own, so that it works behind a path prefix; the key is kept
// for this tab only, and is sent as a header, never in a URL.

const KEY = "mlx-pool.key";

export class Refusal extends Error {
  constructor(status, error) {
    super(error.message ?? `The gateway answered ${status}.`);
    this.status = status;
    this.code = error.code ?? "";
    this.retryAfterS = 0;
  }

  get mayRetry() {
    return this.status === 429 || this.status === 503;
  }
}

export const key = {
  get: () => sessionStorage.getItem(KEY) ?? "",
  set: (value) => (value ? sessionStorage.setItem(KEY, value) : sessionStorage.removeItem(KEY)),
};

/** The pool's address, as clients elsewhere write it. */
export function baseUrl() {
  return new URL(".", document.baseURI).href.replace(/\/$/, "");
}

/** Ask; an answer that refuses is thrown as a `Refusal`, a gateway that can't be reached as a `TypeError`. */
export async function ask(path, { method = "GET", body, headers = {}, signal } = {}) {
  const sent = { ...headers };
  if (key.get()) sent.authorization = `Bearer ${key.get()}`;
  if (body !== undefined) sent["content-type"] = "application/json";
  const answer = await fetch(path, {
    method,
    headers: sent,
    body: body === undefined ? undefined : JSON.stringify(body),
    signal,
    cache: "no-store",
    credentials: "same-origin", // a proxy before the pool may ask for a cookie of its own
  });
  if (answer.ok) return answer;
  const refusal = new Refusal(answer.status, await errorIn(answer));
  refusal.retryAfterS = Number(answer.headers.get("retry-after") ?? 0);
  if (answer.status === 401) dispatchEvent(new CustomEvent("key-needed"));
  throw refusal;
}

async function errorIn(answer) {
  try {
    return (await answer.json()).error ?? {};
  } catch {
    return {};
  }
}

/** The server-sent events of an answer, as they come. */
export async function* eventsIn(answer) {
  let rest = "";
  let event = {};
  for await (const piece of textIn(answer.body)) {
    const lines = (rest + piece).split("\n");
    rest = lines.pop();
    for (const line of lines) {
      if (line === "" && event.data !== undefined) yield event;
      event = line === "" ? {} : withField(event, line);
    }
  }
}

function withField(event, line) {
  const at = line.indexOf(":");
  if (at <= 0) return event; // a comment, or nothing that is known
  const value = line.slice(line[at + 1] === " " ? at + 2 : at + 1);
  return { ...event, [line.slice(0, at)]: value };
}

async function* textIn(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}
