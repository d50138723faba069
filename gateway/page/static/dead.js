// Dead letters: jobs that nobody could run, and what to do about each.

import { Refusal, ask } from "./api.js";
import { announce, h, say, show } from "./dom.js";
import { bytes, moment, visible } from "./format.js";
import { subscribe } from "./live.js";

const WHY = {
  poisoned: "Engines died under it, or attempt after attempt brought no token, so nobody tries it any more.",
  "bad id": "Its id has signs that an id may not have. Run again, it gets another one.",
  "same id, other body": "Another job of the same id was there already.",
};

export function deadView() {
  return new DeadView();
}

class DeadView {
  title = "Dead letters";

  constructor() {
    this.list = h("div", { class: "letters" });
    this.trouble = h("p", { class: "trouble", role: "alert", hidden: true });
    this.none = h("p", { class: "empty", hidden: true }, "None. A job that ends its workers again and again, or whose entry can't be read, is kept here for seven days.");
    this.node = h("div", { class: "view" }, h("h1", {}, "Dead letters"), this.trouble, this.none, this.list);
    this.leave = subscribe(({ now, mayOperate }) => {
      if (now && !mayOperate) return this.fail(new Refusal(403, { message: "Dead letters are for operators: mlx-pool keys add --operator." }));
      const count = now ? now.queues.reduce((sum, queue) => sum + queue.dead_letters, 0) : null;
      if (count !== null && count !== this.count) {
        this.count = count;
        this.look();
      }
    });
  }

  end() {
    this.leave();
  }

  async look() {
    try {
      const { letters } = await (await ask("pool/dead")).json();
      this.list.replaceChildren(...letters.map((letter) => this.card(letter)));
      show(this.none, letters.length === 0);
      show(this.trouble, false);
    } catch (error) {
      this.fail(error);
    }
  }

  fail(error) {
    say(this.trouble, error instanceof Refusal ? error.message : "The gateway can't be reached.");
    show(this.trouble, true);
  }

  card(letter) {
    const decide = (deed, done) => async (event) => {
      event.target.disabled = true;
      try {
        const decided = await (await ask(`pool/dead/${deed}`, { method: "POST", body: { model: letter.model, letter: letter.letter } })).json();
        node.remove();
        announce(done);
        if (decided.job) this.list.prepend(h("p", { class: "done" }, "It runs again: ", h("a", { href: `#/jobs/${decided.job}` }, "its life"), "."));
      } catch (error) {
        event.target.disabled = false;
        this.fail(error);
      }
    };
    const hosts = letter.on ? letter.on.split(" ") : [];
    const node = h(
      "article",
      { class: "card letter", "data-state": "gone" },
      h("header", {}, h("span", { class: "dot", "aria-hidden": "true" }), h("h3", {}, letter.why), h("span", { class: "state" }, moment(letter.at_ms))),
      h(
        "p",
        { class: "facts" },
        [letter.model, hosts.length ? `on ${hosts.join(", ")}` : "", letter.tenant ? `tenant ${letter.tenant}` : "", bytes(letter.body_bytes)].filter(Boolean).join(" · "),
      ),
      WHY[letter.why] ? h("p", {}, WHY[letter.why]) : null,
      letter.job ? h("p", { class: "facts" }, "Job ", h("a", { href: `#/jobs/${encodeURIComponent(letter.job)}` }, letter.job)) : null,
      h("details", {}, h("summary", {}, "What was asked"), h("pre", { tabIndex: 0 }, visible(letter.body) + (letter.body_bytes > letter.body.length * 4 ? " …" : ""))),
      h(
        "div",
        { class: "row" },
        h("button", { type: "button", class: "small", onclick: decide("retry", "The job runs again.") }, "Run again"),
        h("button", { type: "button", class: "small danger", onclick: decide("drop", "The letter is dropped.") }, "Drop"),
      ),
    );
    return node;
  }
}
