// Charts, part three: makes them readable by mouse, touch and keys: a crosshair and the values at the pointed step. The
// charts below one root share the pointed step. Each chart holds its values as JSON in an attribute.
"use strict";

(() => {
  const { plots } = window.TinyAlign;
  const charts = new WeakMap(); // svg element -> what its attribute holds, and how it is shown
  const roots = new WeakMap(); // root -> the pointed place and which chart is pointed at

  // --- One chart

  function describe(svg) {
    const known = charts.get(svg);
    const text = svg.dataset.chart;
    if (known && known.text === text) return known;
    let data;
    try { data = JSON.parse(text); } catch { return null; }
    const chart = { svg, text, data, layer: null, shown: "", view: plots.view(svg, data, known?.size), size: known?.size };
    charts.set(svg, chart);
    return chart;
  }

  // Draws a chart as the reader chose, where that has changed.
  function refresh(svg) {
    const chart = describe(svg);
    if (!chart) return;
    const signature = JSON.stringify([plots.choices, chart.size]);
    if (chart.shown === signature) return;
    chart.shown = signature;
    chart.view = plots.view(svg, chart.data, chart.size);
    plots.show(chart.view);
  }

  /// Gives a chart a frame of its own, in pixels.
  plots.resize = (svg, size) => {
    const chart = describe(svg);
    if (!chart) return;
    chart.size = size;
    svg.setAttribute("viewBox", `0 0 ${size.width} ${size.height}`);
    refresh(svg);
  };

  function draw(chart, at) {
    if (chart.layer) chart.layer.remove();
    chart.layer = null;
    const { view } = chart;
    if (at === null || !view.stops.length) return;
    const layer = plots.shape("g", { "aria-hidden": "true" });
    if (!view.isTrail) {
      const x = view.px(view.stops[plots.nearest(view.stops, at)]).toFixed(1);
      layer.append(plots.shape("line", { class: "cross", x1: x, x2: x, y1: view.top, y2: view.bottom }));
    }
    for (const one of plots.valuesAt(view, view.isTrail ? at : view.stops[plots.nearest(view.stops, at)])) {
      if (one.y === null || one.x === null || one.x === undefined) continue;
      layer.append(plots.shape("circle", {
        class: `dot f${one.color}`, cx: view.px(one.x).toFixed(1), cy: view.py(one.y).toFixed(1), r: one.isTrail ? 5 : 3.5,
      }));
    }
    chart.svg.append(layer);
    chart.layer = layer;
  }

  // --- The values in words

  function tipOf(root) {
    const state = stateOf(root);
    if (state.tip && state.tip.isConnected) return state.tip;
    state.tip = document.createElement("div");
    state.tip.className = "chart-tip";
    state.tip.setAttribute("role", "status");
    state.tip.hidden = true;
    // What is open above the page hides all that does not belong to it.
    (root.closest("dialog") ?? document.body).append(state.tip);
    return state.tip;
  }

  function row(one) {
    const line = document.createElement("div");
    const key = document.createElement("i");
    const name = document.createElement("span");
    const value = document.createElement("em");
    key.className = `s${one.color}${one.look.includes("dashed") ? " dashed" : ""}`;
    name.textContent = one.name;
    value.textContent = plots.written(one.value)
      + (one.spread !== null && one.value !== null ? ` ± ${plots.written(one.spread)}` : "")
      + (one.raw !== null ? ` (raw ${plots.written(one.raw)})` : "")
      + (one.isTrail && one.value !== null ? ` at √KL ${plots.written(one.x)}` : "");
    line.append(key, name, value);
    return line;
  }

  function tell(root, chart, at) {
    const tip = tipOf(root);
    const title = document.createElement("b");
    const { view } = chart;
    const stop = view.stops[plots.nearest(view.stops, at)];
    const values = plots.valuesAt(view, stop);
    title.textContent = plots.stopName(view, stop, values);
    tip.replaceChildren(title, ...values.map(row));
    tip.hidden = false;
    place(tip, chart, values, stop);
  }

  // Beside the crosshair, on the side with room, and inside the window.
  function place(tip, chart, values, stop) {
    const { svg, view } = chart;
    const box = svg.getBoundingClientRect();
    const scale = box.width / svg.viewBox.baseVal.width;
    const point = values.find((one) => one.y !== null && one.x !== undefined);
    const across = !view.isTrail ? view.px(stop) : point ? view.px(point.x) : view.left;
    const x = box.left + across * scale;
    const width = document.documentElement.clientWidth;
    const toRight = x + 14 + tip.offsetWidth <= width - 8;
    const left = toRight ? x + 14 : Math.max(8, x - 14 - tip.offsetWidth);
    const room = view.top * scale + box.top;
    const isNarrow = tip.offsetWidth > width * 0.45;
    const top = isNarrow ? Math.max(8, box.top - tip.offsetHeight - 6) : room;
    const isFixed = tip.parentElement !== document.body;
    tip.style.position = isFixed ? "fixed" : "";
    tip.style.left = `${Math.max(8, Math.min(left, width - 8 - tip.offsetWidth)) + (isFixed ? 0 : window.scrollX)}px`;
    tip.style.top = `${top + (isFixed ? 0 : window.scrollY)}px`;
  }

  // --- Pointing

  function stateOf(root) {
    let state = roots.get(root);
    if (!state) roots.set(root, state = { at: null, name: null, tip: null, hasKeys: false, across: plots.choices.across });
    return state;
  }

  const found = (root) => [...root.querySelectorAll("svg.chart[data-chart]")]
    .filter((svg) => svg.closest("dialog") === root.closest("dialog"));

  function point(root, svg, at) {
    const state = stateOf(root);
    state.at = at;
    state.name = svg.getAttribute("aria-label");
    const chart = describe(svg);
    // A chart that has only steps along its axis says nothing to those that show something else.
    const others = found(root).map(describe).filter((other) => other);
    for (const other of others) draw(other, other.view.across === chart.view.across ? at : null);
    if (chart.view.stops.length) tell(root, chart, at);
  }

  function leave(root) {
    const state = stateOf(root);
    state.at = null;
    state.name = null;
    for (const svg of found(root)) {
      const chart = describe(svg);
      if (chart) draw(chart, null);
    }
    if (state.tip) state.tip.hidden = true;
  }

  // What a place in the window stands for: along the axis, or the nearest point of a trail.
  function placeAt({ svg, view }, event) {
    const box = svg.getBoundingClientRect();
    const scale = svg.viewBox.baseVal.width / box.width;
    const x = (event.clientX - box.left) * scale;
    const y = (event.clientY - box.top) * scale;
    if (!view.isTrail) {
      const [from, to] = view.xr;
      return view.stops[plots.nearest(view.stops, from + (x - view.left) / (view.right - view.left) * (to - from))];
    }
    let best = null, least = Infinity;
    for (const curve of view.curves) {
      for (let index = 0; index < curve.y.length; index += 1) {
        if (curve.y[index] === null || curve.x[index] === null) continue;
        const distance = (view.px(curve.x[index]) - x) ** 2 + (view.py(curve.y[index]) - y) ** 2;
        if (distance < least) [best, least] = [curve.at[index], distance];
      }
    }
    return best;
  }

  function key(root, svg, event) {
    const view = describe(svg)?.view;
    if (!view || !view.stops.length) return;
    const last = view.stops.length - 1;
    const state = stateOf(root);
    const now = state.at === null ? last : plots.nearest(view.stops, state.at);
    const moves = {
      ArrowLeft: now - (event.shiftKey ? 10 : 1), ArrowRight: now + (event.shiftKey ? 10 : 1),
      PageDown: now - 10, PageUp: now + 10, Home: 0, End: last,
    };
    if (event.key === "Escape") {
      leave(root);
    } else if (event.key in moves && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      point(root, svg, view.stops[Math.max(0, Math.min(last, moves[event.key]))]);
    }
  }

  function wire(root, svg) {
    if (svg.dataset.wired) return;
    svg.dataset.wired = "1";
    svg.tabIndex = 0;
    // It holds buttons, which a picture could not.
    svg.setAttribute("role", "group");
    svg.setAttribute("aria-roledescription", "chart; arrow keys read its values");
    const at = (event) => {
      const chart = describe(svg);
      const place = chart && chart.view.stops.length ? placeAt(chart, event) : null;
      if (place !== null && place !== undefined) point(root, svg, place);
    };
    svg.addEventListener("pointermove", at);
    svg.addEventListener("pointerdown", at);
    svg.addEventListener("pointerleave", (event) => { if (event.pointerType === "mouse") leave(root); });
    svg.addEventListener("keydown", (event) => key(root, svg, event));
    svg.addEventListener("focus", () => {
      const stops = describe(svg)?.view.stops ?? [];
      stateOf(root).hasKeys = true;
      if (stops.length && svg.matches(":focus-visible") && stateOf(root).at === null) point(root, svg, stops[stops.length - 1]);
    });
    svg.addEventListener("blur", () => { if (svg.isConnected) { stateOf(root).hasKeys = false; leave(root); } });
    plots.wireLegend?.(svg);
  }

  // A touch elsewhere takes the values away.
  function watchTouches(root) {
    document.addEventListener("pointerdown", (event) => {
      const isChart = event.target instanceof Element && event.target.closest("svg.chart");
      if (!isChart && stateOf(root).at !== null) leave(root);
    });
  }

  // Wires up all charts below an element and shows them as the reader chose; called again after its content was replaced,
  // it goes on where the reader was.
  window.TinyAlign.charts = (root) => {
    if (!roots.has(root)) watchTouches(root);
    const state = stateOf(root);
    const all = found(root);
    for (const svg of all) {
      wire(root, svg);
      refresh(svg);
    }
    plots.addTools?.(root);
    if (state.across !== plots.choices.across) {
      state.across = plots.choices.across;
      leave(root);
    }
    if (state.at === null) return;
    const same = all.find((svg) => svg.getAttribute("aria-label") === state.name);
    if (!same || !describe(same)) {
      leave(root);
      return;
    }
    if (state.hasKeys && document.activeElement === document.body) same.focus({ preventScroll: true });
    point(root, same, state.at);
  };
})();
