// Makes charts readable by mouse, touch and keys: a crosshair and the values at the pointed step. The charts below one
// root share the pointed step. Each chart holds its values as JSON in an attribute.
"use strict";

window.TinyAlign = window.TinyAlign || {};

(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const POWERS = "⁰¹²³⁴⁵⁶⁷⁸⁹";
  const charts = new WeakMap(); // svg element -> what its attribute holds
  const roots = new WeakMap(); // root -> the pointed step and which chart is pointed at

  // --- Numbers

  function written(value) {
    if (value === null || value === undefined) return "–";
    const size = Math.abs(value);
    if (size === 0) return "0";
    if (size < 0.001 || size >= 1e7) {
      const [mantissa, exponent] = value.toExponential(2).split("e");
      const digits = String(Number(exponent)).replace("-", "⁻").replace(/[0-9]/g, (digit) => POWERS[digit]);
      return signed(`${mantissa}×10${digits}`);
    }
    if (size >= 100) return signed(value.toLocaleString("en-US", { maximumFractionDigits: 0 }));
    return signed(Number.isInteger(value) ? String(value) : value.toPrecision(3));
  }

  function signed(text) { return text.replace("-", "−"); }

  // --- One chart

  function describe(svg) {
    const known = charts.get(svg);
    const text = svg.dataset.chart;
    if (known && known.text === text) return known;
    let data;
    try { data = JSON.parse(text); } catch { return null; }
    const [left, top, right, bottom] = data.plot;
    const chart = {
      svg, text, data, left, top, right, bottom, layer: null,
      steps: data.t.length ? data.t : [...new Set(data.s.flatMap((one) => one.t || []))].sort((a, b) => a - b),
      px: (x) => left + (x - data.xr[0]) / (data.xr[1] - data.xr[0]) * (right - left),
      py: (y) => bottom - (y - data.yr[0]) / (data.yr[1] - data.yr[0]) * (bottom - top),
    };
    charts.set(svg, chart);
    return chart;
  }

  // The last place whose step is not beyond `step`, or the nearest one of the ends.
  function placeOf(steps, step) {
    let low = 0, high = steps.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (steps[middle] <= step) low = middle; else high = middle - 1;
    }
    const next = steps[low + 1];
    return next !== undefined && next - step < step - steps[low] ? low + 1 : low;
  }

  // What each curve says at a step: its value, spread, and where its dot lies.
  function valuesAt(chart, step) {
    const shared = placeOf(chart.data.t, step);
    let ground = 0;
    return chart.data.s.map((one) => {
      const place = one.t ? placeOf(one.t, step) : shared;
      const beyond = one.t && one.t.length && step > one.t[one.t.length - 1];
      const value = beyond ? null : one.v[place] ?? null;
      if (one.a && value !== null) ground += value;
      return {
        name: one.n, color: one.c, look: one.k, value, spread: one.d ? one.d[place] : null,
        x: one.t ? one.x[place] : chart.data.t[shared], y: one.a ? ground : value, isTrail: Boolean(one.t),
      };
    });
  }

  function shape(name, attributes) {
    const element = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    return element;
  }

  function draw(chart, step) {
    if (chart.layer) chart.layer.remove();
    chart.layer = null;
    if (step === null || !chart.steps.length) return;
    const layer = shape("g", { "aria-hidden": "true" });
    if (chart.data.t.length) {
      const x = chart.px(chart.data.t[placeOf(chart.data.t, step)]).toFixed(1);
      layer.append(shape("line", { class: "cross", x1: x, x2: x, y1: chart.top, y2: chart.bottom }));
    }
    for (const one of valuesAt(chart, step)) {
      if (one.value === null || one.x === undefined) continue;
      layer.append(shape("circle", {
        class: `dot f${one.color}`, cx: chart.px(one.x).toFixed(1), cy: chart.py(one.y).toFixed(1),
        r: one.isTrail ? 5 : 3.5,
      }));
    }
    chart.svg.append(layer);
    chart.layer = layer;
  }

  // --- The values in words

  function tipOf(state) {
    if (state.tip && state.tip.isConnected) return state.tip;
    state.tip = document.createElement("div");
    state.tip.className = "chart-tip";
    state.tip.setAttribute("role", "status");
    state.tip.hidden = true;
    document.body.append(state.tip);
    return state.tip;
  }

  function row(one) {
    const line = document.createElement("div");
    const key = document.createElement("i");
    const name = document.createElement("span");
    const value = document.createElement("em");
    key.className = `s${one.color}${one.look.includes("dashed") ? " dashed" : ""}`;
    name.textContent = one.name;
    value.textContent = written(one.value)
      + (one.spread !== null && one.value !== null ? ` ± ${written(one.spread)}` : "")
      + (one.isTrail && one.value !== null ? ` at √KL ${written(one.x)}` : "");
    line.append(key, name, value);
    return line;
  }

  function tell(state, chart, step) {
    const tip = tipOf(state);
    const title = document.createElement("b");
    const values = valuesAt(chart, step);
    const shown = chart.steps[placeOf(chart.steps, step)];
    title.textContent = `step ${shown.toLocaleString("en-US")}`;
    tip.replaceChildren(title, ...values.map(row));
    tip.hidden = false;
    place(tip, chart, values, shown);
  }

  // Beside the crosshair, on the side with room, and inside the window.
  function place(tip, chart, values, step) {
    const box = chart.svg.getBoundingClientRect();
    const scale = box.width / chart.svg.viewBox.baseVal.width;
    const point = values.find((one) => one.value !== null && one.x !== undefined);
    const across = chart.data.t.length ? chart.px(step) : point ? chart.px(point.x) : chart.left;
    const x = box.left + across * scale;
    const width = document.documentElement.clientWidth;
    const toRight = x + 14 + tip.offsetWidth <= width - 8;
    const left = toRight ? x + 14 : Math.max(8, x - 14 - tip.offsetWidth);
    const room = chart.top * scale + box.top;
    const isNarrow = tip.offsetWidth > width * 0.45;
    const top = isNarrow ? Math.max(8, box.top - tip.offsetHeight - 6) : room;
    tip.style.left = `${Math.max(8, Math.min(left, width - 8 - tip.offsetWidth)) + window.scrollX}px`;
    tip.style.top = `${top + window.scrollY}px`;
  }

  // --- Pointing

  function stateOf(root) {
    let state = roots.get(root);
    if (!state) roots.set(root, state = { step: null, name: null, tip: null, hasKeys: false });
    return state;
  }

  function allBelow(root) {
    return [...root.querySelectorAll("svg.chart[data-chart]")].map(describe).filter((chart) => chart);
  }

  function point(root, svg, step) {
    const state = stateOf(root);
    state.step = step;
    state.name = svg.getAttribute("aria-label");
    for (const chart of allBelow(root)) draw(chart, step);
    const chart = describe(svg);
    if (chart && chart.steps.length) tell(state, chart, step);
  }

  function leave(root) {
    const state = stateOf(root);
    state.step = null;
    state.name = null;
    for (const chart of allBelow(root)) draw(chart, null);
    if (state.tip) state.tip.hidden = true;
  }

  // The step that a place in the window stands for: along the axis, or the nearest point of a trail.
  function stepAt(chart, event) {
    const box = chart.svg.getBoundingClientRect();
    const scale = chart.svg.viewBox.baseVal.width / box.width;
    const x = (event.clientX - box.left) * scale;
    const y = (event.clientY - box.top) * scale;
    if (chart.data.t.length) {
      const [from, to] = chart.data.xr;
      return chart.steps[placeOf(chart.steps, from + (x - chart.left) / (chart.right - chart.left) * (to - from))];
    }
    let best = null, least = Infinity;
    for (const one of chart.data.s) {
      for (let index = 0; index < one.v.length; index += 1) {
        if (one.v[index] === null || one.x[index] === null) continue;
        const distance = (chart.px(one.x[index]) - x) ** 2 + (chart.py(one.v[index]) - y) ** 2;
        if (distance < least) [best, least] = [one.t[index], distance];
      }
    }
    return best;
  }

  function key(root, svg, event) {
    const chart = describe(svg);
    if (!chart || !chart.steps.length) return;
    const last = chart.steps.length - 1;
    const state = stateOf(root);
    const now = state.step === null ? last : placeOf(chart.steps, state.step);
    const moves = {
      ArrowLeft: now - (event.shiftKey ? 10 : 1), ArrowRight: now + (event.shiftKey ? 10 : 1),
      PageDown: now - 10, PageUp: now + 10, Home: 0, End: last,
    };
    if (event.key === "Escape") {
      leave(root);
    } else if (event.key in moves && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      point(root, svg, chart.steps[Math.max(0, Math.min(last, moves[event.key]))]);
    }
  }

  function wire(root, svg) {
    if (svg.dataset.wired) return;
    svg.dataset.wired = "1";
    svg.tabIndex = 0;
    svg.setAttribute("aria-roledescription", "chart; arrow keys read its values");
    const at = (event) => {
      const chart = describe(svg);
      const step = chart && chart.steps.length ? stepAt(chart, event) : null;
      if (step !== null && step !== undefined) point(root, svg, step);
    };
    svg.addEventListener("pointermove", at);
    svg.addEventListener("pointerdown", at);
    svg.addEventListener("pointerleave", (event) => { if (event.pointerType === "mouse") leave(root); });
    svg.addEventListener("keydown", (event) => key(root, svg, event));
    svg.addEventListener("focus", () => {
      const chart = describe(svg);
      stateOf(root).hasKeys = true;
      if (chart && svg.matches(":focus-visible") && stateOf(root).step === null) {
        point(root, svg, chart.steps[chart.steps.length - 1]);
      }
    });
    svg.addEventListener("blur", () => { if (svg.isConnected) { stateOf(root).hasKeys = false; leave(root); } });
  }

  // A touch elsewhere takes the values away.
  function watchTouches(root) {
    document.addEventListener("pointerdown", (event) => {
      const isChart = event.target instanceof Element && event.target.closest("svg.chart");
      if (!isChart && stateOf(root).step !== null) leave(root);
    });
  }

  // Wires up all charts below an element; called again after its content was replaced, it goes on where the reader was.
  window.TinyAlign.charts = (root) => {
    if (!roots.has(root)) watchTouches(root);
    const state = stateOf(root);
    const found = [...root.querySelectorAll("svg.chart[data-chart]")];
    for (const svg of found) wire(root, svg);
    if (state.step === null) return;
    const same = found.find((svg) => svg.getAttribute("aria-label") === state.name);
    if (!same) {
      leave(root);
      return;
    }
    if (state.hasKeys && document.activeElement === document.body) same.focus({ preventScroll: true });
    point(root, same, state.step);
  };
})();
