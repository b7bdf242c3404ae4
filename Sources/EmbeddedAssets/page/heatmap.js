// The heat map: a switch for what tokens are coloured by, and a card with a token's numbers and what might have stood there.
// TinyAlign.heatMap(root) wires up all heat maps below root and may be called again.
(function () {
  "use strict";

  const wired = new WeakSet();
  let count = 0;

  function make(name, className, text) {
    const element = document.createElement(name);
    if (className) element.className = className;
    if (text !== undefined) element.textContent = text;
    return element;
  }

  function nats(value, sign) {
    if (value === null) return "–";
    const text = Math.abs(value).toFixed(3);
    if (Number(text) === 0) return "0.000";
    return (value < 0 ? "−" : sign ? "+" : "") + text;
  }

  function percent(value) {
    if (!(value > 0)) return "0%";
    if (value < 0.00005) return "<0.01%";
    return (value * 100).toFixed(value < 0.0995 ? 2 : 1) + "%";
  }

  function short(value) {
    if (value === null) return "–";
    const text = String(Number(Math.abs(value).toPrecision(3)));
    return (value < 0 ? "−" : "+") + text;
  }

  class HeatMap {
    constructor(element) {
      this.element = element;
      const data = JSON.parse(element.dataset.map);
      this.labels = data.labels;
      this.modes = data.modes.map(([key, name, range]) => ({ key, name, range }));
      this.tokens = data.tokens.map((row) => ({
        label: row[0], id: row[1], log: row[2], reference: row[3], entropy: row[4], referenceEntropy: row[5],
        advantage: row[6], others: row[7],
      }));
      this.text = element.querySelector(".hm-text");
      this.spans = Array.from(element.querySelectorAll(".hm-token"));
      this.told = -1;
      this.home = 0;
      this.card = make("div", "st-card");
      this.card.id = "heat-map-card-" + count++;
      this.card.setAttribute("role", "tooltip");
      this.card.hidden = true;
      element.append(this.card);
      if (this.modes.length > 1) this.addSwitch();
      this.prepare();
    }

    prepare() {
      this.spans.forEach((span, index) => {
        span.removeAttribute("title");
        span.dataset.index = String(index);
        span.tabIndex = index === 0 ? 0 : -1;
        span.setAttribute("aria-describedby", this.card.id);
      });
      const at = (event) => {
        const span = event.target.closest(".hm-token");
        return span ? Number(span.dataset.index) : -1;
      };
      this.text.addEventListener("pointerover", (event) => this.tell(at(event)));
      this.text.addEventListener("pointerleave", () => this.tell(-1));
      this.text.addEventListener("click", (event) => this.tell(at(event)));
      this.text.addEventListener("focusin", (event) => this.tell(at(event)));
      this.text.addEventListener("focusout", () => this.tell(-1));
      this.text.addEventListener("keydown", (event) => this.press(event));
    }

    press(event) {
      if (event.altKey || event.ctrlKey || event.metaKey) return;
      const steps = { ArrowLeft: -1, ArrowRight: 1, Home: -this.spans.length, End: this.spans.length };
      if (event.key === "Escape" && this.told >= 0) this.tell(-1);
      else if (event.key in steps) this.stand(this.home + steps[event.key]);
      else if (event.key === "ArrowUp" || event.key === "ArrowDown") this.stand(this.lineStep(event.key === "ArrowDown"));
      else return;
      event.preventDefault();
      event.stopPropagation();
    }

    // The token below or above: of the next line, the one that stands nearest.
    lineStep(isDown) {
      const here = this.spans[this.home].getBoundingClientRect();
      let best = this.home;
      let least = Infinity;
      this.spans.forEach((span, index) => {
        const box = span.getBoundingClientRect();
        const lines = (box.top - here.top) * (isDown ? 1 : -1);
        if (lines < here.height / 2) return;
        const distance = lines * 1000 + Math.abs(box.left - here.left);
        if (distance < least) [best, least] = [index, distance];
      });
      return best;
    }

    stand(index) {
      const next = Math.max(0, Math.min(this.spans.length - 1, index));
      this.spans[this.home].tabIndex = -1;
      this.home = next;
      this.spans[next].tabIndex = 0;
      this.spans[next].focus();
    }

    // MARK: Colours

    addSwitch() {
      const group = make("div", "hm-switch");
      group.setAttribute("role", "radiogroup");
      group.setAttribute("aria-label", "Colour by");
      this.buttons = this.modes.map((mode, index) => {
        const button = make("button", "", mode.name);
        button.type = "button";
        button.setAttribute("role", "radio");
        button.addEventListener("click", () => this.choose(index));
        group.append(button);
        return button;
      });
      group.addEventListener("keydown", (event) => {
        const step = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 }[event.key];
        if (step === undefined) return;
        event.preventDefault();
        this.choose((this.mode + step + this.modes.length) % this.modes.length);
        this.buttons[this.mode].focus();
      });
      this.element.prepend(group);
      this.choose(0);
    }

    choose(index) {
      this.mode = index;
      const mode = this.modes[index];
      this.buttons.forEach((button, at) => {
        button.setAttribute("aria-checked", String(at === index));
        button.tabIndex = at === index ? 0 : -1;
      });
      for (const legend of this.element.querySelectorAll(".hm-legend")) legend.hidden = legend.dataset.mode !== mode.key;
      this.spans.forEach((span, at) => this.paint(span, this.tokens[at], mode));
    }

    paint(span, token, mode) {
      const value = this.value(token, mode.key);
      const share = value === null ? 0 : Math.min(1, Math.abs(value) / mode.range);
      const kind = mode.key === "entropy" ? "hm-open" : value < 0 ? "hm-lost" : "hm-gained";
      span.style.setProperty("--v", share.toFixed(3));
      span.classList.remove("hm-open", "hm-lost", "hm-gained");
      if (value !== null) span.classList.add(kind);
    }

    value(token, key) {
      if (key === "entropy") return token.entropy;
      if (key === "advantage") return token.advantage;
      return token.log === null || token.reference === null ? null : token.log - token.reference;
    }

    // MARK: The card

    tell(index) {
      if (index === this.told) return;
      this.spans[this.told]?.classList.remove("hm-told");
      this.told = index;
      this.card.hidden = index < 0;
      if (index < 0) return;
      this.spans[index].classList.add("hm-told");
      this.card.replaceChildren(...this.cardContent(this.tokens[index]));
      this.putCard(this.spans[index]);
    }

    cardContent(token) {
      const title = make("p", "st-title");
      title.append(make("b", "", token.label));
      const parts = [title, this.numbers(token)];
      if (token.others.length > 0) {
        const keys = make("p", "hm-keys");
        for (const label of this.labels) keys.append(make("span", "", label));
        parts.push(this.others(token), keys);
      }
      return parts;
    }

    numbers(token) {
      const table = make("table");
      const body = table.createTBody();
      const add = (name, ...cells) => {
        const row = body.insertRow();
        row.append(make("th", "", name));
        for (const cell of cells) row.append(make("td", "", cell));
      };
      const head = table.createTHead().insertRow();
      for (const text of ["", ...this.labels, "change"]) head.append(make("th", "", text));
      if (token.log !== null) {
        const change = token.reference === null ? null : token.log - token.reference;
        const chance = (value) => (value === null ? "–" : percent(Math.exp(Math.min(0, value))));
        add("probability", chance(token.reference), chance(token.log), change === null ? "–" : "×" + Number(Math.exp(Math.max(-20, Math.min(20, change))).toPrecision(3)));
        add("log, nats", nats(token.reference), nats(token.log), nats(change, true));
      }
      if (token.entropy !== null) {
        const change = token.referenceEntropy === null ? null : token.entropy - token.referenceEntropy;
        add("entropy, nats", nats(token.referenceEntropy), nats(token.entropy), nats(change, true));
      }
      if (token.advantage !== null) add("advantage", "", short(token.advantage), "");
      return table;
    }

    others(token) {
      const table = make("table", "hm-others");
      const body = table.createTBody();
      const largest = Math.max(...token.others.flatMap((other) => [other[1], other[2]]), 1e-9);
      for (const [label, before, after, isTold] of token.others) {
        const row = body.insertRow();
        if (isTold) row.className = "hm-chosen";
        row.append(make("th", "", label));
        const bars = make("span", "hm-bars");
        for (const value of [before, after]) {
          const bar = make("i");
          bar.style.width = ((value / largest) * 100).toFixed(1) + "%";
          bars.append(bar);
        }
        row.insertCell().append(bars);
        row.append(make("td", "", percent(before)), make("td", "", percent(after)));
      }
      return table;
    }

    putCard(span) {
      const frame = this.element.getBoundingClientRect();
      const box = span.getClientRects()[0] || span.getBoundingClientRect();
      const left = Math.min(Math.max(box.left - frame.left - 12, 0), Math.max(0, frame.width - this.card.offsetWidth));
      const height = this.card.offsetHeight;
      const isOver = box.bottom + height + 16 > window.innerHeight && box.top > height + 8;
      this.card.style.left = left + "px";
      this.card.style.top = (isOver ? box.top - height - 6 : box.bottom + 6) - frame.top + "px";
    }
  }

  function wire(root) {
    for (const element of root.querySelectorAll(".heat-map[data-map]")) {
      if (wired.has(element)) continue;
      wired.add(element);
      new HeatMap(element);
    }
  }

  window.TinyAlign = window.TinyAlign || {};
  window.TinyAlign.heatMap = wire;
})();
