// Puts a job on the queue with one XADD and prints its text as it comes, with nothing but Node.js.
//
//   node examples/node/submit.mjs "What is the capital of France?"
//
// REDIS_URL (redis://:PASSWORD@HOST:PORT) says where, MODEL whose queue; without MODEL the only one there is.
import { connect } from "node:net";

// One connection, one command at a time: enough for a producer. A service would take the client library it knows.
class Redis {
  #socket;
  #bytes = Buffer.alloc(0);
  #wake = () => {};
  #failure = null;

  constructor({ hostname, port }) {
    this.#socket = connect(Number(port || 6379), hostname);
    this.#socket.on("data", (chunk) => {
      this.#bytes = Buffer.concat([this.#bytes, chunk]);
      this.#wake();
    });
    const fail = (error) => {
      this.#failure ??= error ?? new Error("Redis closed the connection");
      this.#wake();
    };
    this.#socket.on("error", fail).on("close", () => fail());
  }

  async command(...words) {
    const parts = words.map((word) => `$${Buffer.byteLength(String(word))}\r\n${word}\r\n`);
    this.#socket.write(`*${words.length}\r\n${parts.join("")}`);
    for (;;) {
      const read = parse(this.#bytes, 0);
      if (read) {
        this.#bytes = this.#bytes.subarray(read.end);
        if (read.value instanceof Error) throw read.value;
        return read.value;
      }
      if (this.#failure) throw this.#failure;
      await new Promise((resolve) => (this.#wake = resolve));
    }
  }

  close() {
    this.#socket.destroy();
  }
}

// Redis's protocol, version 2. Lengths count bytes, so text is cut out before it is decoded. null: not all is here yet.
function parse(bytes, start) {
  const lineEnd = bytes.indexOf("\r\n", start);
  if (lineEnd < 0) return null;
  const line = bytes.toString("utf8", start + 1, lineEnd);
  const next = lineEnd + 2;
  switch (String.fromCharCode(bytes[start])) {
    case "+":
      return { value: line, end: next };
    case "-":
      return { value: new Error(line), end: next };
    case ":":
      return { value: Number(line), end: next };
    case "$": {
      const end = next + Number(line);
      if (Number(line) < 0) return { value: null, end: next };
      return bytes.length < end + 2 ? null : { value: bytes.toString("utf8", next, end), end: end + 2 };
    }
    case "*": {
      if (Number(line) < 0) return { value: null, end: next };
      const values = [];
      let end = next;
      for (let n = 0; n < Number(line); n++) {
        const read = parse(bytes, end);
        if (!read) return null;
        values.push(read.value);
        ({ end } = read);
      }
      return { value: values, end };
    }
  }
  throw new Error(`this is not Redis: ${line}`);
}

async function* eventsOf(redis, log) {
  let last = "0";
  for (;;) {
    // Works before the key exists. null: nothing within five seconds; the job waits, or a long prompt is being read.
    const reply = await redis.command("XREAD", "COUNT", 100, "BLOCK", 5000, "STREAMS", log, last);
    for (const [id, fields] of reply?.[0][1] ?? []) {
      last = id;
      const event = JSON.parse(fields[fields.indexOf("e") + 1]);
      yield event;
      if (["done", "error", "cancelled"].includes(event.status)) return;
    }
  }
}

const url = new URL(process.env.REDIS_URL ?? "redis://127.0.0.1:6379");
const redis = new Redis(url);
try {
  if (url.password) await redis.command("AUTH", url.username || "default", decodeURIComponent(url.password));
  // A mistyped model would be a stream that nobody reads.
  const models = await redis.command("SMEMBERS", "pool:models");
  const model = process.env.MODEL ?? (models.length === 1 ? models[0] : undefined);
  if (!models.includes(model)) throw new Error(`MODEL must be one of: ${models.join(", ") || "(no worker yet)"}`);

  const body = JSON.stringify({ prompt: process.argv[2] ?? "안녕하세요", max_tokens: 64 });
  const entry = await redis.command("XADD", `pool:{${model}}:jobs:std`, "*", "body", body);
  const job = `std-${entry}`; // its default id; with a field `id` it would be that

  for await (const event of eventsOf(redis, `pool:{${model}}:log:${job}`)) {
    if (event.status === "token") process.stdout.write(event.content ?? "");
    if (event.status === "done") process.stdout.write("\n");
    if (event.status === "error") throw new Error(`${event.code}: ${event.message}`);
    if (event.status === "cancelled") throw new Error("the job was cancelled");
  }
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
} finally {
  redis.close();
}
