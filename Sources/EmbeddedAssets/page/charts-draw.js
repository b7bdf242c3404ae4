// Charts, part two: draws a chart anew where a reader chose another look than the one it came with. What it draws has the
// classes of the server's own pictures.
"use strict";

(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const { plots } = window.TinyAlign;
  const originals = new WeakMap(); // the plot of a chart -> what it came with

  plots.shape = (name, attributes, text) => {
    const element = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    if (text !== undefined) element.textContent = text;
    return element;
  };

  const number = (value) => String(Math.round(value * 10) / 10);

  const axes = (view) => {
    const parts = [];
    const line = (kind, x1, x2, y1, y2) => parts.push(plots.shape("line", {
      class: kind, x1: number(x1), x2: number(x2), y1: number(y1), y2: number(y2),
    }));
    const label = (kind, x, y, text) => parts.push(plots.shape("text", { class: `tick ${kind}`, x: number(x), y: number(y) }, text));
    for (const { value, label: text } of view.yTicks) {
      const y = view.py(value);
      line(value === 0 ? "zero" : "grid", view.left, view.right, y, y);
      label("end", view.left - 6, y + 4, text);
    }
    line("axis", view.left, view.right, view.bottom, view.bottom);
    for (const { value, label: text } of view.xTicks) {
      const x = view.px(value);
      line("axis", x, x, view.bottom, view.bottom + 4);
      label("middle", x, view.bottom + 18, text);
    }
    label("middle", (view.left + view.right) / 2, view.bottom + 35,
      view.isLogarithmic ? `${view.xLabel} (vertical axis: logarithmic)` : view.xLabel);
    return parts;
  };

  /// The stretches of neighbouring points that all of `lists` have.
  const stretches = (curve, ...lists) => {
    const found = [];
    let current = null;
    curve.x.forEach((x, index) => {
      const isThere = x !== null && lists.every((list) => list[index] !== null && Number.isFinite(list[index]));
      if (!isThere) current = null;
      else if (current) current.push(index);
      else found.push(current = [index]);
    });
    return found;
  };

  const points = (view, curve, list, indices) =>
    indices.map((index) => `${number(view.px(curve.x[index]))} ${number(view.py(list[index]))}`);

  const line = (view, curve, list, kind) => stretches(curve, list).map((indices) => {
    if (indices.length > 1) {
      return plots.shape("path", { class: `${kind} s${curve.one.c}`, d: `M${points(view, curve, list, indices).join("L")}` });
    }
    const [index] = indices;
    return plots.shape("circle", {
      class: `f${curve.one.c}`, cx: number(view.px(curve.x[index])), cy: number(view.py(list[index])), r: 3.5,
    });
  });

  const surface = (view, curve, lower, upper, kind) => stretches(curve, lower, upper).map((indices) => plots.shape("path", {
    class: `${kind} f${curve.one.c}`,
    d: `M${[...points(view, curve, upper, indices), ...points(view, curve, lower, indices.slice().reverse())].join("L")}Z`,
  }));

  const curveShapes = (view, curve) => {
    if (curve.floor) return surface(view, curve, curve.floor, curve.y, "area");
    const shapes = [];
    if (curve.spread) {
      const least = view.isLogarithmic ? view.yr[0] : -Infinity;
      const lower = curve.y.map((value, index) => (value === null ? null : Math.max(least, value - curve.spread[index])));
      const upper = curve.y.map((value, index) => (value === null ? null : value + curve.spread[index]));
      shapes.push(...surface(view, curve, lower, upper, "band"));
    }
    if (curve.isSmooth) {
      const raw = view.isLogarithmic ? curve.raw.map((value) => (value > 0 ? value : null)) : curve.raw;
      shapes.push(...line(view, curve, raw, "line raw"));
    }
    shapes.push(...line(view, curve, curve.y, curve.one.k));
    if (curve.one.t) {
      const last = stretches(curve, curve.y).at(-1)?.at(-1);
      if (last !== undefined) {
        shapes.push(plots.shape("circle", {
          class: `end-mark f${curve.one.c}`, cx: number(view.px(curve.x[last])), cy: number(view.py(curve.y[last])), r: 5,
        }));
      }
    }
    return shapes;
  };

  const rules = (view) => view.data.rules
    .filter(({ n, v }) => v !== null && v >= view.yr[0] && v <= view.yr[1] && !plots.choices.hidden.includes(n))
    .map(({ c, v }) => plots.shape("line", {
      class: `line rule s${c}`, x1: number(view.left), x2: number(view.right), y1: number(view.py(v)), y2: number(view.py(v)),
    }));

  /// Shows a view: its curves and axes, which names are hidden, and what has no place.
  plots.show = (view) => {
    const { svg } = view;
    const plot = svg.querySelector("g.plot");
    if (!originals.has(plot)) originals.set(plot, [...plot.childNodes]);
    if (view.isChanged) plot.replaceChildren(...axes(view), ...view.curves.flatMap((curve) => curveShapes(view, curve)), ...rules(view));
    else plot.replaceChildren(...originals.get(plot));
    for (const entry of svg.querySelectorAll(".entry")) {
      const isHidden = plots.choices.hidden.includes(entry.dataset.name);
      entry.classList.toggle("off", isHidden);
      entry.setAttribute("aria-pressed", String(!isHidden));
    }
    let note = svg.parentElement.querySelector(":scope > .chart-note");
    if (!note && view.note) {
      note = document.createElement("p");
      note.className = "chart-note";
      svg.after(note);
    }
    if (note) {
      note.textContent = view.note;
      note.hidden = !view.note;
    }
  };
})();
