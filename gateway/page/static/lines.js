// What was just asked, as lines for a terminal, for Python and for Node.

import { baseUrl, key } from "./api.js";

const EXTRA = { top_k: "top_k", min_p: "min_p", repeat_penalty: "repetition_penalty" }; // beside OpenAI's own fields
const PLAIN = ["temperature", "top_p", "max_tokens", "seed"];
// The pool's own defaults, which OpenAI's routes do not have.
const OURS = { temperature: 0.7, top_p: 0.95, top_k: 40, repeat_penalty: 1.1, max_tokens: 512 };

export function linesOf(body, model) {
  const whole = { ...OURS, ...body };
  return { curl: curl(body), Python: python(whole, model), Node: node(whole, model) };
}

function curl(body) {
  const head = key.get() ? ` \\\n  -H "Authorization: Bearer $MLX_POOL_KEY"` : "";
  const shell = JSON.stringify(body, null, 1).replace(/\n\s*/g, " ").replaceAll("'", "'\\''");
  return `curl -N ${baseUrl()}/chat${head} \\\n  -H 'Content-Type: application/json' \\\n  -d '${shell}'\n`;
}

function python(body, model) {
  const extra = Object.entries(EXTRA).filter(([name]) => body[name] !== undefined);
  const rows = [
    `model=${text(body.model ?? model)}`,
    `messages=[\n${body.messages.map((each) => `        {"role": "${each.role}", "content": ${text(each.content)}},`).join("\n")}\n    ]`,
    ...PLAIN.filter((name) => body[name] !== undefined).map((name) => `${name}=${body[name]}`),
    `extra_body={${extra.map(([name, theirs]) => `"${theirs}": ${body[name]}`).join(", ")}}`,
    "stream=True",
  ];
  return `# pip install openai
${key.get() ? "import os\n\n" : ""}from openai import OpenAI

client = OpenAI(base_url="${baseUrl()}/v1", api_key=${key.get() ? 'os.environ["MLX_POOL_KEY"]' : '"none"'})
stream = client.chat.completions.create(
    ${rows.join(",\n    ")},
)
for chunk in stream:
    if chunk.choices:
        print(chunk.choices[0].delta.content or "", end="", flush=True)
`;
}

function node(body, model) {
  const fields = { model: body.model ?? model, messages: body.messages, stream: true };
  for (const name of PLAIN) if (body[name] !== undefined) fields[name] = body[name];
  for (const [name, theirs] of Object.entries(EXTRA)) if (body[name] !== undefined) fields[theirs] = body[name];
  return `// npm install openai
import OpenAI from "openai";

const client = new OpenAI({ baseURL: "${baseUrl()}/v1", apiKey: ${key.get() ? "process.env.MLX_POOL_KEY" : '"none"'} });
const stream = await client.chat.completions.create(${JSON.stringify(fields, null, 2)});
for await (const chunk of stream) {
  process.stdout.write(chunk.choices[0]?.delta?.content ?? "");
}
`;
}

/** A text as JSON has it is a text as Python has it, too. */
const text = (value) => JSON.stringify(value ?? "");
