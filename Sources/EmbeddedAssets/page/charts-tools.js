// Charts, part four: what a reader chooses with: smoothing, the axes, the names above a chart that hide its curves, and a
// chart by itself as large as the window.
"use strict";

(() => {
  const { plots } = window.TinyAlign;
  const bars = new WeakMap(); // root -> its bar of tools
  const across = [["step", "steps"], ["completions", "completions"], ["time", "training time"]];

  function make(name, attributes, ...children) {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.append(...children);
    return element;
  }

  // --- The choices, and the address that keeps them

  /// The choices from a query such as `smooth=0.6&x=time&log=kl&hide=["best story"]`; what is no choice is passed over.
  plots.readChoices = (parameters) => {
    const smoothing = Number(parameters.get("smooth"));
    const x = parameters.get("x");
    let hidden = [];
    try { hidden = JSON.parse(parameters.get("hide") ?? "[]"); } catch { /* Not a list: nothing is hidden. */ }
    plots.choices = {
      smoothing: smoothing > 0 && smoothing < 1 ? smoothing : 0,
      across: across.some(([key]) => key === x) ? x : "step",
      log: (parameters.get("log") ?? "").split(",").filter((key) => /^[a-z-]{1,40}$/.test(key)),
      hidden: Array.isArray(hidden) ? hidden.filter((name) => typeof name === "string").slice(0, 100) : [],
    };
  };

  /// The choices as members of an address; those that are not made are empty.
  plots.writtenChoices = () => {
    const { smoothing, across: x, log, hidden } = plots.choices;
    return {
      smooth: smoothing > 0 ? String(smoothing) : "", x: x === "step" ? "" : x, log: log.join(","),
      hide: hidden.length > 0 ? JSON.stringify(hidden) : "",
    };
  };

  // A page of one file keeps them behind its own #; the live page has more to keep there and does it itself.
  plots.keep = () => {
    const parameters = new URLSearchParams(Object.entries(plots.writtenChoices()).filter(([, value]) => value));
    try { history.replaceState(null, "", `#${parameters}`); } catch { /* Without an address they last as long as the page. */ }
  };

  function choose(changes) {
    Object.assign(plots.choices, changes);
    plots.keep();
    for (const root of shownRoots) if (root.isConnected) window.TinyAlign.charts(root);
    large.refresh();
  }

  const shownRoots = new Set();
  const toggled = (list, name) => (list.includes(name) ? list.filter((each) => each !== name) : [...list, name]);

  // --- The bar above the charts

  function bar() {
    const smoothing = make("input", { type: "range", min: "0", max: "0.99", step: "0.01", "aria-label": "Smoothing" });
    const output = make("output", {});
    const axis = make("select", {}, ...across.map(([value, text]) => make("option", { value }, text)));
    const all = make("button", { type: "button", class: "chart-button" }, "Show all curves");
    smoothing.addEventListener("input", () => choose({ smoothing: Number(smoothing.value) }));
    axis.addEventListener("change", () => choose({ across: axis.value }));
    all.addEventListener("click", () => choose({ hidden: [] }));
    const element = make("div", { class: "chart-tools", role: "group", "aria-label": "How curves are drawn" },
      make("label", { title: "Debiased exponential average, as in TensorBoard: each point is the mean of all before it, older ones weighing less" },
        "Smoothing", smoothing, output),
      make("label", {}, "Horizontal axis", axis), all);
    return { element, show() {
      smoothing.value = String(plots.choices.smoothing);
      smoothing.setAttribute("aria-valuetext", plots.choices.smoothing > 0 ? plots.choices.smoothing.toFixed(2) : "off");
      output.textContent = plots.choices.smoothing > 0 ? plots.choices.smoothing.toFixed(2) : "off";
      axis.value = plots.choices.across;
      all.hidden = plots.choices.hidden.length === 0;
    } };
  }

  // --- The buttons of one chart

  function logButton(svg) {
    const button = make("button", { type: "button", class: "chart-button log", title: "Logarithmic vertical axis" }, "log");
    button.addEventListener("click", () => choose({ log: toggled(plots.choices.log, plots.keyOf(svg())) }));
    return button;
  }

  function showLogButton(button, svg) {
    const title = svg.getAttribute("aria-label");
    let data = { s: [] };
    try { data = JSON.parse(svg.dataset.chart ?? '{"s":[]}'); } catch { /* A chart without values has no axis to change. */ }
    button.hidden = data.s.length === 0 || !plots.canBeLogarithmic(data);
    button.setAttribute("aria-pressed", String(plots.choices.log.includes(plots.keyOf(svg))));
    button.setAttribute("aria-label", `Logarithmic axis: ${title}`);
  }

  function addButtons(panel) {
    const svg = () => panel.querySelector("svg.chart");
    let buttons = panel.querySelector(":scope > .chart-buttons");
    if (!buttons) {
      const enlarge = make("button", { type: "button", class: "chart-button enlarge", title: "Enlarge" }, "⤢");
      enlarge.addEventListener("click", () => large.open(panel));
      buttons = make("div", { class: "chart-buttons" }, logButton(svg), enlarge);
      panel.append(buttons);
    }
    const [log, enlarge] = buttons.children;
    showLogButton(log, svg());
    enlarge.hidden = !svg().dataset.chart;
    enlarge.setAttribute("aria-label", `Enlarge: ${svg().getAttribute("aria-label")}`);
  }

  /// Makes the names above a chart buttons that hide its curves.
  plots.wireLegend = (svg) => {
    for (const entry of svg.querySelectorAll(".entry")) {
      const { name } = entry.dataset;
      entry.setAttribute("role", "button");
      entry.setAttribute("tabindex", "0");
      entry.setAttribute("aria-label", `Show ${name}`);
      const box = entry.getBBox();
      entry.prepend(plots.shape("rect", { class: "hit", x: box.x - 3, y: box.y - 4, width: box.width + 8, height: 22, rx: 4 }));
      const toggle = () => choose({ hidden: toggled(plots.choices.hidden, name) });
      entry.addEventListener("click", toggle);
      entry.addEventListener("keydown", (event) => {
        if (event.key !== "Enter" && event.key !== " ") return;
        event.preventDefault();
        event.stopPropagation();
        toggle();
      });
    }
  };

  // --- One chart, enlarged

  const large = {
    dialog: null, panel: null,

    open(panel) {
      this.panel = panel;
      this.dialog ??= this.build();
      this.fill();
      this.dialog.showModal();
      this.fit();
    },

    build() {
      const close = make("button", { type: "button", class: "chart-button" }, "Close");
      const picture = make("div", { class: "picture" });
      const title = make("h2", { id: "chart-large-title" });
      const log = logButton(() => picture.querySelector("svg"));
      const dialog = make("dialog", { class: "chart-large", "aria-labelledby": "chart-large-title" },
        make("div", { class: "chart-large-head" }, title, log, close), picture);
      close.addEventListener("click", () => dialog.close());
      // A click on what is behind it closes it, too.
      dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
      addEventListener("resize", () => this.fit());
      document.body.append(dialog);
      Object.assign(this, { picture, title, log });
      return dialog;
    },

    // The chart as the panel has it now: its values may have grown.
    fill() {
      const source = this.panel.querySelector("svg.chart");
      const old = this.picture.querySelector("svg");
      if (old?.dataset.chart === source.dataset.chart && old.dataset.key === plots.keyOf(source)) return;
      const svg = source.cloneNode(true);
      svg.querySelectorAll(":scope > g[aria-hidden], .hit").forEach((element) => element.remove());
      delete svg.dataset.wired;
      svg.dataset.key = plots.keyOf(source);
      this.title.textContent = source.getAttribute("aria-label");
      this.picture.replaceChildren(svg);
    },

    fit() {
      if (!this.dialog?.open) return;
      const svg = this.picture.querySelector("svg");
      // The names above a chart have a place in this width.
      const width = Math.max(380, this.picture.clientWidth);
      plots.resize(svg, { width, height: Math.round(Math.max(240, Math.min(0.68 * innerHeight, 0.7 * width))) });
      window.TinyAlign.charts(this.picture);
      showLogButton(this.log, svg);
    },

    refresh() {
      if (!this.dialog?.open) return;
      this.fill();
      this.fit();
    },
  };

  /// The bar and the buttons of the charts below an element.
  plots.addTools = (root) => {
    if (root.closest("dialog")) return;
    const panels = [...root.querySelectorAll(".panel")].filter((panel) => panel.querySelector("svg.chart"));
    if (panels.length === 0) return;
    shownRoots.add(root);
    let own = bars.get(root);
    if (!own) {
      bars.set(root, own = bar());
      panels[0].parentElement.before(own.element);
    }
    own.show();
    panels.forEach(addButtons);
    large.refresh();
  };
})();
