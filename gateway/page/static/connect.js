// How a machine joins, and how programs ask.

import { baseUrl, key } from "./api.js";
import { h } from "./dom.js";
import { subscribe } from "./live.js";
import { codeNode } from "./markdown.js";

export function connectView() {
  const node = h("div", { class: "view" });
  let told = "";
  const end = subscribe(({ now, queueUrl, mayOperate }) => {
    const model = (now?.models.find((each) => each.loaded) ?? now?.models[0])?.id ?? "smollm2-135m";
    const flags = `--model ${model}${isScripted(now, model) ? " --engine scripted" : ""}`;
    const all = JSON.stringify([flags, queueUrl, mayOperate]);
    if (all === told) return;
    told = all;
    node.replaceChildren(h("h1", {}, "Connect"), joining(flags, queueUrl), ...clients(model));
  });
  return { node, title: "Connect", end };
}

/** What makes its tokens up, for trying out, has no device; a machine that joins has to make them up in the same way. */
function isScripted(now, model) {
  const workers = (now?.workers ?? []).filter((worker) => worker.model === model);
  return workers.length > 0 && workers.every((worker) => worker.device === "none");
}

function joining(flags, queueUrl) {
  const url = queueUrl ? reachable(queueUrl) : "redis://:PASSWORD@HOST:PORT/0";
  return h(
    "section",
    { class: "panel" },
    h("h2", {}, "Another machine"),
    h("p", {}, "It needs the queue's address, and no port of its own. PASSWORD stands in what ", h("code", {}, "mlx-pool status --url"), " prints on the machine where the pool runs. Where mlx-pool is installed, type:"),
    codeNode(`mlx-pool join ${inShell(url)} ${flags}\n`, "on the other machine"),
    h("p", {}, "Where nothing is installed yet, this line installs what is missing first; it asks for the password."),
    codeNode(`curl -fsSL ${baseUrl()}/join | sh -s -- ${inShell(withoutPassword(url))} ${flags}\n`, "on a bare machine"),
    isLoopback(url) ? h("p", { class: "note" }, "This queue can be reached from its own machine only. ", h("code", {}, "mlx-pool up --host 0.0.0.0"), " opens the pool to others, behind a key and a password that it makes.") : null,
  );
}

/** The queue on the gateway's own machine is, for another one, where this page came from. */
function reachable(queueUrl) {
  const here = location.hostname;
  return isLoopback(`//${here}`) ? queueUrl : queueUrl.replace(/(@|\/\/)(127\.0\.0\.1|localhost|\[::1\])(?=[:/]|$)/, `$1${here}`);
}

const withoutPassword = (url) => url.replace(/:[^:@/]*@/, "@").replace("//@", "//");

/** A shell may take the ? of a pin for a pattern. */
const inShell = (url) => (url.includes("?") ? `'${url}'` : url);

const isLoopback = (url) => /(@|\/\/)(127\.\d+\.\d+\.\d+|localhost|\[::1\])([:/]|$)/.test(url);

function clients(model) {
  const base = baseUrl();
  const bearer = key.get() ? ` \\\n  -H "Authorization: Bearer $MLX_POOL_KEY"` : "";
  const apiKey = key.get() ? "YOUR-KEY" : "none";
  const one = (title, about, language, text) => h("section", { class: "panel" }, h("h2", {}, title), about ? h("p", {}, about) : null, codeNode(text, language));
  return [
    one("curl", "The pool's own API: a line of JSON for each piece of the answer.", "sh", `curl -N ${base}/chat${bearer} \\\n  -H 'Content-Type: application/json' \\\n  -d '{"model": "${model}", "prompt": "안녕하세요", "max_tokens": 64}'\n`),
    one("OpenAI's SDKs", "Change the base URL; everything else stays.", "Python", `from openai import OpenAI\n\nclient = OpenAI(base_url="${base}/v1", api_key="${apiKey}")\nanswer = client.chat.completions.create(\n    model="${model}",\n    messages=[{"role": "user", "content": "안녕하세요"}],\n)\nprint(answer.choices[0].message.content)\n`),
    one("Anthropic's SDKs and Claude Code", "", "sh", `export ANTHROPIC_BASE_URL=${base}\nexport ANTHROPIC_AUTH_TOKEN=${apiKey}\nexport ANTHROPIC_MODEL=${model}\n`),
    one("Straight to the queue", "A service that reaches Redis needs no HTTP: one command puts a job there, another one reads its tokens.", "redis-cli", `XADD pool:{${model}}:jobs:std * id hello-1 body '{"prompt":"안녕하세요","max_tokens":64}'\nXREAD BLOCK 60000 STREAMS pool:{${model}}:log:hello-1 0\n`),
    h("section", { class: "panel" }, h("h2", {}, "All calls"), h("p", {}, h("a", { href: "openapi.json" }, "openapi.json"), " tells tools of every call of this gateway.")),
  ];
}
