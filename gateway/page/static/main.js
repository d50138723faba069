// The page's frame: which view is shown, whether the pool is heard of, and the sign-in where keys are asked for.

import { key } from "./api.js";
import { connectView } from "./connect.js";
import { deadView } from "./dead.js";
import { h, say, show } from "./dom.js";
import { jobsView } from "./jobs.js";
import { follow, stop, subscribe } from "./live.js";
import { poolView } from "./pool.js";
import { tryView } from "./try.js";

const VIEWS = { "": poolView, try: tryView, jobs: jobsView, dead: deadView, connect: connectView };
const NAMES = { "": "pool" };
const main = document.getElementById("main");
let view = null;
let isSignedOut = false;

function route() {
  if (isSignedOut) return;
  const [name, rest = ""] = location.hash.replace(/^#\/?/, "").split(/\/(.*)/);
  const isKnown = Object.hasOwn(VIEWS, name);
  const isFirst = view === null;
  view?.end?.();
  view = VIEWS[isKnown ? name : ""](decoded(rest));
  main.replaceChildren(view.node);
  main.dataset.view = isKnown ? name || "pool" : "pool";
  document.title = `${view.title} · mlx-pool`;
  for (const link of document.querySelectorAll("nav a")) {
    if (link.dataset.view === (NAMES[name] ?? name)) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  view.input?.focus?.();
  scrollTo(0, 0);
  if (!isFirst && !view.input) main.focus({ preventScroll: true });
  view.changed?.();
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function signIn() {
  const wasWrong = Boolean(key.get());
  key.set("");
  stop();
  if (isSignedOut) return;
  isSignedOut = true;
  view?.end?.();
  view = null;
  const input = h("input", { id: "key", type: "password", autocomplete: "current-password", required: true, spellcheck: false });
  const said = h("p", { class: "trouble", role: "alert" }, wasWrong ? "This key opens nothing here." : "");
  show(said, wasWrong);
  const enter = (event) => {
    event.preventDefault();
    key.set(input.value.trim());
    isSignedOut = false;
    begin();
  };
  main.replaceChildren(
    h(
      "form",
      { class: "panel sign-in", onsubmit: enter },
      h("h1", {}, "Sign in"),
      h("p", {}, "This pool asks for an API key: one that ", h("code", {}, "mlx-pool keys add"), " gave out, or the one that ", h("code", {}, "mlx-pool up"), " keeps in its ", h("code", {}, "secrets/api-key"), ". It stays in this tab, and is sent as a header."),
      h("input", { type: "text", autocomplete: "username", value: "mlx-pool", readOnly: true, hidden: true }),
      h("label", { for: "key" }, "API key"),
      input,
      said,
      h("button", { type: "submit", class: "main" }, "Sign in"),
    ),
  );
  document.title = "Sign in · mlx-pool";
  input.focus();
}

function begin() {
  follow();
  route();
}

subscribe(({ link, trouble, now, version }) => {
  const state = document.getElementById("link-state");
  say(state, link === "live" ? "live" : link === "signed-out" ? "signed out" : "connecting");
  state.dataset.state = link;
  if (version) state.title = `version ${version}`;
  const dead = now ? now.queues.reduce((sum, queue) => sum + queue.dead_letters, 0) : 0;
  const badge = document.getElementById("dead-count");
  say(badge, dead);
  show(badge, dead > 0);
  const banner = document.getElementById("banner");
  const said = now?.fault ? "The pool's Redis does not answer: what is shown is from before." : link === "signed-out" ? "" : trouble;
  say(banner, said);
  show(banner, Boolean(said));
  show(document.getElementById("sign-out"), Boolean(key.get()) && link !== "signed-out");
});

addEventListener("hashchange", route);
addEventListener("key-needed", signIn);
document.getElementById("sign-out").addEventListener("click", () => {
  key.set("");
  signIn();
});
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
begin();
