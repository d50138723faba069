// Plots over the last minutes: uPlot's canvases, in the page's colours.

import { h, say } from "./dom.js";
import { clock } from "./format.js";

const HEIGHT = 132;
const PADDING_PX = 8; // at the right
const HALF_A_TIME_PX = 28;
const SPAN_S = [60, 300]; // what is shown at least, and at most

/** A plot of `points`: each series has a `label`, a colour's variable, and what a point's value is (null: none); values
 * are written by `write`, and where room is short by `writeAside`. Without any the margin goes up to `emptyTop`. */
export class Plot {
  constructor(title, series, write, writeAside = write, emptyTop = 1) {
    this.series = series;
    this.write = write;
    this.writeAside = writeAside;
    this.emptyTop = emptyTop;
    this.values = series.map(() => h("b", {}, "–"));
    const keys = series.map((each, at) =>
      h("span", { class: "key", "data-colour": each.colour }, each.label, " ", this.values[at]),
    );
    this.box = h("div", { class: "plot-box", role: "img" });
    this.node = h("section", { class: "panel plot" }, h("header", {}, h("h2", {}, title), h("div", { class: "keys" }, keys)), this.box);
    this.title = title;
    this.observer = new ResizeObserver(() => this.resize());
    this.scheme = matchMedia("(prefers-color-scheme: dark)");
    this.recolour = () => this.make();
    this.scheme.addEventListener("change", this.recolour);
    this.observer.observe(this.box);
  }

  update(points) {
    const read = (value) => points.map((point) => value(point) ?? null);
    this.data = [points.map((point) => point.at_ms / 1000), ...this.series.map((each) => read(each.value))];
    if (!this.plot) this.make();
    else this.plot.setData(this.data, false);
    this.plot?.setScale("x", this.span());
    this.tell(points.length - 1);
  }

  tell(index) {
    const told = this.series.map((each, at) => {
      const value = this.data[at + 1][index];
      say(this.values[at], value === null || value === undefined ? "–" : this.write(value));
      return `${each.label} ${this.values[at].textContent}`;
    });
    this.box.setAttribute("aria-label", `${this.title}, the last five minutes. Now: ${told.join(", ")}.`);
  }

  make() {
    if (!window.uPlot || !this.data || !this.box.clientWidth) return;
    this.plot?.destroy();
    this.plot = new window.uPlot(this.options(), this.data, this.box);
    this.plot.setScale("x", this.span());
  }

  span() {
    const [least, most] = SPAN_S;
    const end = this.data[0].at(-1) ?? Date.now() / 1000;
    const known = end - (this.data[0][0] ?? end);
    return { min: end - Math.min(most, Math.max(least, known)), max: end };
  }

  options() {
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(`--${name}`).trim();
    const line = (each) => ({
      stroke: colour(each.colour),
      width: 1.5,
      fill: each.filled ? `${colour(each.colour)}22` : undefined,
      points: { show: false },
      spanGaps: false,
    });
    const axis = { stroke: colour("muted"), font: "11px system-ui", grid: { stroke: colour("line"), width: 1 }, ticks: { show: false } };
    return {
      width: this.box.clientWidth,
      height: HEIGHT,
      padding: [8, PADDING_PX, 0, 0],
      legend: { show: false },
      cursor: { y: false, drag: { setScale: false, x: false, y: false }, points: { size: 5 } },
      scales: { y: { range: (_, __, max) => [0, max > 0 ? max * 1.15 : this.emptyTop] } },
      axes: [
        { ...axis, size: 24, space: 70, values: (plot, times) => times.map((at) => (isCut(plot, at) ? "" : clock(at * 1000).replace(/:00$/, ""))) },
        { ...axis, size: 58, space: 36, values: (_, ticks) => ticks.map((each) => this.writeAside(each)) },
      ],
      series: [{}, ...this.series.map(line)],
      hooks: { setCursor: [(plot) => this.tell(plot.cursor.idx ?? this.data[0].length - 1)] },
    };
  }

  resize() {
    if (!this.plot) this.make();
    else if (this.box.clientWidth) this.plot.setSize({ width: this.box.clientWidth, height: HEIGHT });
  }

  end() {
    this.observer.disconnect();
    this.scheme.removeEventListener("change", this.recolour);
    this.plot?.destroy();
  }
}

/** Whether half of a time that stands there would lie beyond the plot's end. */
function isCut(plot, at) {
  return plot.bbox.width / devicePixelRatio - plot.valToPos(at, "x") < HALF_A_TIME_PX - PADDING_PX;
}
