// The story tree: branches unfold on click or Enter, both sides together; numbers on hover and focus.
// TinyAlign.tree(root) wires up all pictures below root and may be called again.
(function () {
  "use strict";

  const { make, makeSVG, percent, exact, ratio, textWidth, fitted, readTree, isBelow, rest, columnCount,
    layOut, isSeen, zoomed } = window.TinyAlign.treeParts;
  const wired = new WeakSet();

  class Picture {
    constructor(element) {
      this.element = element;
      this.tree = readTree(element.dataset.tree);
      this.focus = -1;
      this.told = null;
      this.fits = new Map();
      this.sides = Array.from(element.querySelectorAll(".st-plot"), (plot, side) => this.prepare(plot, side));
      this.path = make("ol", "st-path");
      this.path.setAttribute("aria-label", "Unfolded branch");
      element.querySelector(".st-sides").before(this.path);
      this.card = make("div", "st-card");
      this.card.hidden = true;
      this.status = make("p", "st-hidden");
      this.status.setAttribute("role", "status");
      element.append(this.card, this.status);
      element.addEventListener("keydown", (event) => this.press(event));
      new ResizeObserver(() => this.draw()).observe(element);
      this.showPath();
      this.draw();
    }

    prepare(plot, side) {
      plot.replaceChildren();
      plot.setAttribute("role", "tree");
      plot.setAttribute("aria-label", this.tree.labels[side] + ": what may come next");
      const state = { plot, side, boxes: new Map(), elements: new Map(), home: null, frame: 0 };
      const keyAt = (event) => {
        const box = event.target.closest(".st-box");
        return box && plot.contains(box) ? box.dataset.key : null;
      };
      plot.addEventListener("pointermove", (event) => this.tell(side, keyAt(event), event));
      plot.addEventListener("pointerleave", () => this.tell(side, null));
      plot.addEventListener("click", (event) => {
        const key = keyAt(event);
        if (key !== null) this.activate(side, key);
      });
      // Chromium lets the tabulator key stop at drawings that listen for focus: their frame listens instead.
      plot.parentElement.addEventListener("focusin", (event) => this.tell(side, keyAt(event)));
      plot.parentElement.addEventListener("focusout", () => this.tell(side, null));
      return state;
    }

    size(state, focus) {
      const width = state.plot.clientWidth || state.plot.getBoundingClientRect().width;
      const height = state.plot.clientHeight || state.plot.getBoundingClientRect().height;
      state.area = { x: width, y: height, width, height };
      return { width, height, columns: columnCount(this.tree, focus, width) };
    }

    draw() {
      this.fits = new Map();
      for (const state of this.sides) {
        cancelAnimationFrame(state.frame);
        const size = this.size(state, this.focus);
        if (size.width > 0) this.place(state, layOut(this.tree, this.focus, state.side, size), size);
      }
    }

    // Puts boxes where they belong, with no animation.
    place(state, boxes, size) {
      state.boxes = new Map(Array.from(boxes).filter(([, box]) => isSeen(box, size)));
      for (const [key, element] of state.elements) {
        if (!state.boxes.has(key)) {
          element.remove();
          state.elements.delete(key);
        }
      }
      for (const [key, box] of state.boxes) this.move(state, key, box);
      this.arrange(state, size);
    }

    // Reading order, one stop for the tabulator key, and a word where there is nothing.
    arrange(state, size) {
      if (!state.elements.has(state.home)) state.home = state.boxes.keys().next().value ?? null;
      const focused = document.activeElement;
      for (const key of state.boxes.keys()) {
        const element = state.elements.get(key);
        if (element !== focused) state.plot.append(element);
        element.setAttribute("tabindex", key === state.home ? "0" : "-1");
        this.mark(state, key, element);
      }
      state.plot.querySelector(".st-nothing")?.remove();
      if (state.boxes.size > 0) return;
      const text = makeSVG("text", "st-nothing");
      text.setAttribute("x", "14");
      text.setAttribute("y", String(size.height / 2));
      const limit = this.focus >= 0 ? this.tree.get(this.focus).limit[state.side] : 0;
      text.textContent = "not told apart here: at most " + percent(limit || 0);
      state.plot.append(text);
    }

    boxElement(state, key) {
      const known = state.elements.get(key);
      if (known) return known;
      const element = makeSVG("svg");
      const branch = key[0] === "o" ? null : this.tree.get(Number(key));
      element.dataset.key = key;
      element.setAttribute("role", "treeitem");
      element.setAttribute("aria-level", String((branch ? branch.depth : this.tree.get(Number(key.slice(1))).depth + 1)));
      element.setAttribute("aria-label", this.sentence(state.side, key));
      if (branch) element.style.setProperty("--r", String(Math.abs(branch.shade)));
      element.append(makeSVG("rect"), makeSVG("text", "st-word"), makeSVG("text", "st-number"));
      element.firstChild.setAttribute("width", "100%");
      element.firstChild.setAttribute("height", "100%");
      state.elements.set(key, element);
      state.plot.append(element);
      this.mark(state, key, element);
      return element;
    }

    mark(state, key, element) {
      const branch = key[0] === "o" ? null : this.tree.get(Number(key));
      const classes = ["st-box", branch ? (branch.shade < 0 ? "st-lost" : "st-gained") : "st-other"];
      if (branch && branch.index === this.focus) classes.push("st-back");
      else if (branch && branch.children.length > 0) classes.push("st-opens");
      if (key === this.told) classes.push("st-told");
      if (element.dataset.thin) classes.push("st-thin");
      element.setAttribute("class", classes.join(" "));
    }

    move(state, key, box) {
      const element = this.boxElement(state, key);
      const wasThin = element.dataset.thin;
      if (box.height < 3) element.dataset.thin = "1";
      else delete element.dataset.thin;
      if (wasThin !== element.dataset.thin) this.mark(state, key, element);
      // In shares of the side, so that paper of another width shows all of it.
      for (const name of ["x", "y", "width", "height"]) {
        element.setAttribute(name, ((box[name] / state.area[name]) * 100).toFixed(4) + "%");
      }
      this.write(state, key, element, box);
    }

    // The words in a box; those of a very high one stay where they are seen.
    write(state, key, element, box) {
      const [, word, number] = element.children;
      const height = state.area.height;
      const top = Math.max(0, -box.y);
      const seen = Math.min(box.height, height - box.y) - top;
      const shown = seen >= 14;
      word.style.display = number.style.display = shown ? "" : "none";
      if (!shown) return;
      const labels = this.labels(state.side, key, box.width, seen >= 34);
      word.textContent = labels.word;
      number.textContent = labels.number;
      const middle = (((top + seen / 2) / box.height) * 100).toFixed(3) + "%";
      const isBelow = seen >= 34;
      for (const text of [word, number]) text.setAttribute("y", middle);
      word.setAttribute("x", "6");
      word.setAttribute("dy", isBelow && labels.number ? "-2.5" : "4.6");
      number.setAttribute("class", isBelow ? "st-number" : "st-number st-inline");
      number.setAttribute("x", isBelow ? "6" : "100%");
      number.setAttribute("dx", isBelow ? "0" : "-6");
      number.setAttribute("dy", isBelow ? "12.8" : "4");
      number.setAttribute("text-anchor", isBelow ? "start" : "end");
    }

    labels(side, key, width, isBelow) {
      const name = [side, key, Math.round(width), isBelow].join(" ");
      if (!this.fits.has(name)) this.fits.set(name, this.fit(side, key, width, isBelow));
      return this.fits.get(name);
    }

    fit(side, key, width, isBelow) {
      const { label, path, change } = this.facts(side, key);
      const word = fitted(label, 13, width - 12);
      const room = isBelow ? width - 12 : width - 18 - textWidth(word, 13);
      const number = percent(path);
      const candidates = side === 1 && change ? [number + " " + change, number] : [number];
      return { word, number: candidates.find((text) => textWidth(text, 11) <= room) ?? "" };
    }

    facts(side, key) {
      if (key[0] === "o") {
        const parent = Number(key.slice(1));
        return { label: "other", path: this.otherPath(parent, side), change: "" };
      }
      const branch = this.tree.get(Number(key));
      const change = branch.change === "×1.0" || branch.change === "÷1.0" ? "" : branch.change;
      return { label: branch.label, path: branch.path[side], change };
    }

    otherPath(parent, side) {
      const path = this.tree.get(parent).path[side];
      return path === null ? null : path * rest(this.tree, parent, side);
    }

    sentence(side, key) {
      const { label, path } = this.facts(side, key);
      const parts = [label + ", " + percent(path) + " " + this.tree.labels[side]];
      if (key[0] !== "o") {
        const branch = this.tree.get(Number(key));
        const there = branch.path[1 - side];
        parts.push((there === null ? "not told apart" : percent(there)) + " " + this.tree.labels[1 - side]);
        if (branch.change) parts.push(branch.change);
        if (branch.children.length > 0) parts.push("unfolds");
      }
      return parts.join(", ");
    }

    // MARK: Unfolding

    activate(side, key) {
      if (key[0] === "o") return;
      const branch = this.tree.get(Number(key));
      if (branch.index === this.focus) this.unfold(branch.parent, side, key);
      else if (branch.children.length > 0) this.unfold(branch.index, side, key);
    }

    // Shows a branch over the full height of both sides; `side` and `key` say which box keeps the keyboard's focus.
    unfold(target, side, key) {
      const from = this.focus;
      if (target === from) return;
      const hadFocus = this.element.contains(document.activeElement);
      this.focus = target;
      this.tell(0, null);
      for (const state of this.sides) this.zoom(state, from, target, key);
      if (hadFocus && side !== undefined) this.sides[side].elements.get(this.sides[side].home)?.focus();
      this.showPath();
      const numbers = target < 0 ? "the whole tree" : this.sentence(1, String(target));
      this.status.textContent = "Unfolded: " + numbers;
    }

    zoom(state, from, target, key) {
      const goesIn = isBelow(this.tree, target, from);
      const sizes = [this.size(state, from), this.size(state, target)];
      const layouts = [from, target].map((focus, at) => layOut(this.tree, focus, state.side, sizes[at]));
      const [wide, narrow] = goesIn ? [0, 1] : [1, 0];
      const frame = layouts[wide].get(String(goesIn ? target : from));
      cancelAnimationFrame(state.frame);
      const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
      state.home = key;
      if (calm || !frame || !(frame.height > 1e-6) || layouts[narrow].size === 0) {
        this.place(state, layouts[1], sizes[1]);
        return;
      }
      const focuses = [from, target].map((focus) => Math.max(1, this.tree.get(focus).depth));
      const shift = focuses[narrow] - focuses[wide];
      const routes = [];
      for (const [name, box] of layouts[wide]) {
        const close = layouts[narrow].get(name) ?? zoomed(box, frame, sizes[narrow], shift);
        const [start, end] = goesIn ? [box, close] : [close, box];
        if (isSeen(start, sizes[0]) || isSeen(end, sizes[1])) routes.push([name, start, end]);
      }
      for (const name of Array.from(state.elements.keys())) {
        if (!routes.some((route) => route[0] === name)) {
          state.elements.get(name).remove();
          state.elements.delete(name);
        }
      }
      this.animate(state, routes, () => this.place(state, layouts[1], sizes[1]));
    }

    animate(state, routes, finish) {
      const start = performance.now();
      const step = (now) => {
        const time = Math.min(1, Math.max(0, (now - start) / 320));
        if (time >= 1) return finish();
        const part = time * time * (3 - 2 * time);
        for (const [key, a, b] of routes) {
          const box = {};
          for (const name of ["x", "y", "width", "height"]) box[name] = a[name] + (b[name] - a[name]) * part;
          this.move(state, key, box);
        }
        state.frame = requestAnimationFrame(step);
      };
      step(start);
    }

    showPath() {
      const line = [];
      for (let at = this.focus; at >= 0; at = this.tree.get(at).parent) line.unshift(at);
      this.path.replaceChildren();
      const words = [[-1, this.focus < 0 ? "All that may follow" : "All"], ...line.map((at) => [at, this.tree.get(at).label])];
      for (const [at, label] of words) {
        const item = make("li");
        const isHere = at === this.focus;
        const part = make(isHere ? "span" : "button", "", label);
        if (isHere) {
          part.setAttribute("aria-current", "true");
          part.tabIndex = -1;
        } else {
          part.type = "button";
          part.addEventListener("click", () => this.goTo(at));
        }
        item.append(part);
        this.path.append(item);
      }
      const hint = this.focus < 0 ? "Click a branch to unfold it" : "Escape goes back";
      this.path.append(make("li", "st-hint", hint));
    }

    goTo(at) {
      const key = String(this.focus);
      this.unfold(at, undefined, key);
      this.path.querySelector("[aria-current]")?.focus();
    }

    // MARK: Keys

    press(event) {
      if (event.altKey || event.ctrlKey || event.metaKey) return;
      const box = event.target.closest?.(".st-box");
      if ((event.key === "Escape" || event.key === "Backspace") && this.focus >= 0) {
        const side = box ? this.sides.findIndex((state) => state.plot.contains(box)) : undefined;
        this.unfold(this.tree.get(this.focus).parent, side, String(this.focus));
        event.preventDefault();
        event.stopPropagation();
        return;
      }
      if (!box) return;
      const state = this.sides.find((one) => one.plot.contains(box));
      if (event.key === "Enter" || event.key === " ") this.activate(state.side, box.dataset.key);
      else if (event.key.startsWith("Arrow")) this.step(state, box.dataset.key, event.key);
      else return;
      event.preventDefault();
    }

    step(state, key, arrow) {
      const isOther = key[0] === "o";
      const parent = isOther ? Number(key.slice(1)) : this.tree.get(Number(key)).parent;
      if (arrow === "ArrowLeft") return this.stepOut(state, key, parent);
      if (arrow === "ArrowRight") return isOther ? undefined : this.stepIn(state, Number(key));
      const row = [...this.tree.get(parent).children.map(String), "o" + parent].filter((one) => state.boxes.has(one));
      const next = row[row.indexOf(key) + (arrow === "ArrowDown" ? 1 : -1)];
      if (next !== undefined) this.stand(state, next);
    }

    stepIn(state, index) {
      const seen = (key) => state.boxes.has(key);
      const find = () => this.tree.get(index).children.map(String).find(seen);
      if (this.tree.get(index).children.length === 0) return;
      if (find() === undefined && this.focus !== index) {
        this.unfold(index, state.side, String(index));
        return;
      }
      const child = find();
      if (child !== undefined) this.stand(state, child);
    }

    stepOut(state, key, parent) {
      if (String(this.focus) === key) this.unfold(parent, state.side, key);
      else if (parent >= 0 && state.boxes.has(String(parent))) this.stand(state, String(parent));
    }

    stand(state, key) {
      state.elements.get(state.home)?.setAttribute("tabindex", "-1");
      state.home = key;
      const element = state.elements.get(key);
      element.setAttribute("tabindex", "0");
      element.focus();
    }

    // MARK: The card

    tell(side, key, event) {
      const isNew = key !== this.told;
      this.told = key;
      if (isNew) {
        for (const state of this.sides) {
          for (const [name, element] of state.elements) this.mark(state, name, element);
        }
      }
      this.card.hidden = key === null;
      if (key === null) return;
      if (isNew) this.card.replaceChildren(...this.cardContent(key));
      this.putCard(side, key, event);
    }

    cardContent(key) {
      const parts = [];
      const isOther = key[0] === "o";
      const index = isOther ? Number(key.slice(1)) : Number(key);
      const branch = this.tree.get(index);
      const lead = [];
      for (let at = isOther ? index : branch.parent; at >= 0; at = this.tree.get(at).parent) lead.unshift(this.tree.get(at).text);
      const title = make("p", "st-title");
      title.append(make("span", "", "…" + lead.join("")));
      title.append(make("b", "", isOther ? " (other)" : branch.text || " " + branch.label));
      if (!isOther && branch.isEnd && branch.text) title.append(make("span", "", " ∎ end"));
      parts.push(title, isOther ? this.otherTable(index) : this.branchTable(branch));
      if (isOther) parts.push(make("p", "", "All tokens that this tree does not tell apart here."));
      const lacking = isOther ? -1 : branch.path.indexOf(null);
      if (lacking >= 0) {
        const limit = branch.limit[lacking] || 0;
        parts.push(make("p", "", `Not told apart ${this.tree.labels[lacking]}: at most ${exact(limit)} is left for it there.`));
      }
      return parts;
    }

    branchTable(branch) {
      const show = (values) => values.map((value) => (value === null ? "–" : exact(value)));
      const change = branch.path.includes(null) ? "" : ratio(branch.conditional[1], branch.conditional[0]);
      return this.table([
        ["from the prompt", ...show(branch.path), branch.change || "–"],
        ["after its parent", ...show(branch.conditional), change],
      ]);
    }

    otherTable(index) {
      const paths = [0, 1].map((side) => this.otherPath(index, side));
      const shown = paths.map((value) => (value === null ? "–" : exact(value)));
      return this.table([["from the prompt", ...shown, paths.includes(null) ? "" : ratio(paths[1], paths[0])]]);
    }

    table(rows) {
      const table = make("table");
      const head = table.createTHead().insertRow();
      for (const text of ["", ...this.tree.labels, "change"]) head.append(make("th", "", text));
      const body = table.createTBody();
      for (const cells of rows) {
        const row = body.insertRow();
        cells.forEach((text, at) => row.append(make(at === 0 ? "th" : "td", "", text)));
      }
      return table;
    }

    putCard(side, key, event) {
      const frame = this.element.getBoundingClientRect();
      const state = this.sides[side];
      const box = state.elements.get(key)?.getBoundingClientRect();
      const plot = state.plot.getBoundingClientRect();
      if (!box) return;
      const top = Math.max(box.top, plot.top);
      const bottom = Math.min(box.bottom, plot.bottom);
      const x = event ? event.clientX + 14 : box.left + 12;
      const y = event ? event.clientY + 16 : Math.min(bottom, top + 48) + 8;
      const width = this.card.offsetWidth;
      const height = this.card.offsetHeight;
      const over = y + height > window.innerHeight - 8;
      const left = Math.min(Math.max(x - frame.left, 0), Math.max(0, frame.width - width));
      const anchor = event ? event.clientY - 12 : top - 6;
      this.card.style.left = left + "px";
      this.card.style.top = (over && anchor - height > 0 ? anchor - height : y) - frame.top + "px";
    }
  }

  function wire(root) {
    for (const element of root.querySelectorAll(".story-tree[data-tree]")) {
      if (wired.has(element)) continue;
      wired.add(element);
      new Picture(element);
    }
  }

  window.TinyAlign = window.TinyAlign || {};
  window.TinyAlign.tree = wire;
})();
