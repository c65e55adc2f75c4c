// The curves, drawn by uPlot at the places that Python chose.
import uPlot from "uplot";
import { byId } from "./dom.js";
import { shortValue, tick } from "./texts.js";

const DASHES = [[], [8, 4], [2, 3], [10, 4, 2, 4], [14, 4], [4, 4], [10, 3, 2, 3, 2, 3], [1, 4]];
const font = () => getComputedStyle(document.documentElement).getPropertyValue("--font").trim();

// A colour of the page, as a canvas takes it: light-dark() has a value only where it is used.
function colour(name) {
  const box = byId("chart");
  box.style.caretColor = `var(${name})`;
  return getComputedStyle(box).caretColor;
}

export const colourOf = (curve) => `var(--curve-${curve.colour})`;

export class Chart {
  #plot;
  #data;

  constructor({ onPoint, onZoom, onReset }) {
    this.box = byId("chart");
    Object.assign(this, { onPoint, onZoom, onReset, index: null });
    this.box.addEventListener("keydown", (event) => this.#key(event));
    new ResizeObserver(() => this.#resize()).observe(this.box);
  }

  get width() {
    return this.box.clientWidth;
  }

  // Draws curves: { places, label, curves: [{ name, colour, values }] }.
  show(data, isLog) {
    this.#data = data;
    this.isLog = isLog;
    const isEmpty = !data.curves.length;
    this.box.classList.toggle("empty", isEmpty);
    if (isEmpty) {
      this.#plot?.destroy();
      this.#plot = undefined;
      this.box.textContent = "Add a recipe to see its curve.";
      return;
    }
    if (!this.#plot) this.box.textContent = "";
    const shape = JSON.stringify([data.label, isLog, data.curves.map((each) => each.colour)]);
    const columns = [data.places, ...data.curves.map((each) => this.#column(each.values))];
    if (this.#plot && shape === this.shape) {
      this.#plot.setData(columns);
    } else {
      this.#plot?.destroy();
      this.shape = shape;
      this.#plot = new uPlot(this.#options(), columns, this.box);
    }
    this.index = null;
  }

  // Forgets how the chart looks, as when the theme has changed.
  restyle() {
    this.shape = undefined;
    if (this.#data) this.show(this.#data, this.isLog);
  }

  #column(values) {
    return this.isLog ? values.map((value) => (value > 0 ? value : null)) : values;
  }

  #size() {
    return { width: this.box.clientWidth, height: this.box.clientHeight };
  }

  #resize() {
    this.#plot?.setSize(this.#size());
  }

  #options() {
    const axis = {
      stroke: colour("--soft"),
      grid: { stroke: colour("--grid"), width: 1 },
      ticks: { stroke: colour("--grid"), width: 1, size: 4 },
      font: `12px ${font()}`,
      labelFont: `12px ${font()}`,
    };
    return {
      ...this.#size(),
      padding: [10, 14, 0, 0],
      legend: { show: false },
      cursor: {
        y: false,
        drag: { x: true, y: false, setScale: false },
        points: { size: 7, width: 2 },
      },
      scales: {
        x: { time: false },
        y: this.isLog ? { distr: 3, log: 10 } : {},
      },
      axes: [
        {
          ...axis,
          label: this.#data.label,
          labelSize: 18,
          size: 32,
          values: (plot, splits) => splits.map(tick),
        },
        {
          ...axis,
          size: 62,
          values: (plot, splits) =>
            splits.map((value) => (value === null ? "" : shortValue(value, 4))),
        },
      ],
      series: [
        {},
        ...this.#data.curves.map((curve, place) => ({
          label: String(place),
          stroke: colour(`--curve-${curve.colour}`),
          width: 2,
          dash: DASHES[curve.colour],
          points: { show: false },
        })),
      ],
      hooks: {
        setCursor: [(plot) => this.#point(plot.cursor.idx)],
        setSelect: [(plot) => this.#select(plot)],
        ready: [(plot) => this.#listen(plot.over)],
      },
    };
  }

  #listen(over) {
    over.addEventListener("dblclick", () => this.onReset());
    const touch = (event) => {
      if (event.pointerType !== "touch") return;
      const { left, top } = over.getBoundingClientRect();
      this.#plot.setCursor({ left: event.clientX - left, top: event.clientY - top });
    };
    over.addEventListener("pointerdown", touch);
    over.addEventListener("pointermove", touch);
  }

  #point(index) {
    this.index = index ?? null;
    this.onPoint(this.index);
  }

  #select(plot) {
    const { left, width } = plot.select;
    if (width < 4) return;
    const [from, to] = [left, left + width].map((x) => Math.max(plot.posToVal(x, "x"), 0));
    plot.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
    this.onZoom(from, to);
  }

  pointAt(place) {
    const left = this.#plot.valToPos(place, "x");
    this.#plot.setCursor({ left, top: this.#plot.over.clientHeight / 2 });
  }

  #key(event) {
    const places = this.#data?.places;
    if (!this.#plot || event.ctrlKey || event.metaKey || event.altKey) return;
    const last = places.length - 1;
    const here = this.index ?? 0;
    const stride = event.shiftKey ? Math.max(Math.round(last / 20), 1) : 1;
    const moves = { ArrowLeft: here - stride, ArrowRight: here + stride, Home: 0, End: last };
    if (event.key in moves) {
      this.pointAt(places[Math.min(Math.max(moves[event.key], 0), last)]);
      this.onHear?.();
    } else if (event.key === "+" || event.key === "-" || event.key === "=") {
      const width = (places[last] - places[0]) * (event.key === "-" ? 2 : 0.5);
      const from = Math.max(places[this.index ?? last >> 1] - width / 2, 0);
      this.onZoom(from, from + width);
    } else if (event.key === "0" || event.key === "Escape") {
      this.onReset();
    } else {
      return;
    }
    event.preventDefault();
  }
}
