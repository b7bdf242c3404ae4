// What the story tree (tree.js) is drawn from: numbers in words, text that fits, the branches, and where boxes stand.
(function () {
  "use strict";

  const svgNamespace = "http://www.w3.org/2000/svg";
  const thinnest = 0.4;
  const ruler = document.createElement("canvas").getContext("2d");
  let fontFamily = "";

  function make(name, className, text) {
    const element = document.createElement(name);
    if (className) element.className = className;
    if (text !== undefined) element.textContent = text;
    return element;
  }

  function makeSVG(name, className) {
    const element = document.createElementNS(svgNamespace, name);
    if (className) element.setAttribute("class", className);
    return element;
  }

  // MARK: Numbers

  function percent(value) {
    if (!(value > 0)) return "0%";
    if (value < 0.00095) return "<0.1%";
    return (value * 100).toFixed(value < 0.0995 ? 1 : 0) + "%";
  }

  function exact(value) {
    const share = value * 100;
    if (!(share > 0)) return "0%";
    if (share >= 0.001) return Number(share.toPrecision(4)) + "%";
    const [digits, power] = share.toExponential(2).split("e");
    const raised = Array.from(String(Math.abs(power)), (digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit]).join("");
    return digits + "×10⁻" + raised + "%";
  }

  function ratio(after, before) {
    if (!(before > 0)) return after > 0 ? "from 0" : "–";
    if (!(after > 0)) return "to 0";
    const size = after >= before ? after / before : before / after;
    const sign = after >= before ? "×" : "÷";
    if (size >= 9999.5) return sign + "9,999+";
    return sign + (size < 9.95 ? size.toFixed(1) : Math.round(size).toLocaleString("en"));
  }

  function textWidth(text, size) {
    fontFamily ||= getComputedStyle(document.documentElement).getPropertyValue("--sans") || "sans-serif";
    ruler.font = size + "px " + fontFamily;
    return ruler.measureText(text).width;
  }

  function fitted(text, size, room) {
    if (textWidth(text, size) <= room) return text;
    const letters = Array.from(text);
    let low = 0;
    let high = letters.length;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (textWidth(letters.slice(0, middle).join("") + "…", size) <= room) low = middle;
      else high = middle - 1;
    }
    return low > 0 ? letters.slice(0, low).join("") + "…" : "";
  }

  // MARK: The tree's data

  // Branches as Swift wrote them; index -1 is the prompt.
  function readTree(text) {
    const data = JSON.parse(text);
    const branches = data.nodes.map((row, index) => ({
      index, parent: row[0], label: row[1], text: row[2], isEnd: row[3] === 1, conditional: [row[4], row[5]],
      path: [row[6], row[7]], limit: [row[8], row[9]], shade: row[10] || 0, change: row[11], children: [], depth: 1,
    }));
    const prompt = { index: -1, label: "", text: "", conditional: [1, 1], path: [1, 1], children: [], depth: 0 };
    const get = (index) => (index < 0 ? prompt : branches[index]);
    for (const branch of branches) {
      const parent = get(branch.parent);
      parent.children.push(branch.index);
      branch.depth = parent.depth + 1;
    }
    return { prompt: data.prompt, labels: data.labels, branches, get };
  }

  function isBelow(tree, branch, ancestor) {
    let at = branch;
    while (at >= 0 && at !== ancestor) at = tree.get(at).parent;
    return at === ancestor;
  }

  function rest(tree, index, side) {
    const branch = tree.get(index);
    let share = 1;
    for (const child of branch.children) share -= tree.get(child).conditional[side] || 0;
    return Math.max(0, share);
  }

  // How many columns a view has: as many as there is room for, none that is empty.
  function columnCount(tree, focus, width) {
    const start = Math.max(1, tree.get(focus).depth);
    let deepest = start;
    for (const branch of tree.branches) {
      if (branch.depth > deepest && isBelow(tree, branch.index, focus)) deepest = branch.depth;
    }
    return Math.max(1, Math.min(deepest - start + 1, Math.floor(width / 82), 6));
  }

  // All boxes below a branch, the branch itself filling the first column: key to {x, y, width, height}. "o5": what the
  // children of branch 5 leave over.
  function layOut(tree, focus, side, size) {
    const boxes = new Map();
    const width = size.width / size.columns;
    const first = Math.max(1, tree.get(focus).depth);
    if (tree.get(focus).path[side] === null) return boxes;
    if (focus >= 0) boxes.set(String(focus), { x: 0, y: 0, width, height: size.height });
    const open = [{ index: focus, y: 0, height: size.height }];
    while (open.length > 0) {
      const { index, y, height } = open.pop();
      const branch = tree.get(index);
      if (branch.children.length === 0) continue;
      const x = (branch.depth + 1 - first) * width;
      let top = y;
      for (const child of branch.children) {
        const share = tree.get(child).conditional[side];
        if (share === null) continue;
        boxes.set(String(child), { x, y: top, width, height: height * share });
        open.push({ index: child, y: top, height: height * share });
        top += height * share;
      }
      boxes.set("o" + index, { x, y: top, width, height: height * rest(tree, index, side) });
    }
    return boxes;
  }

  function isSeen(box, size) {
    return box.height >= thinnest && box.x > -0.5 && box.x < size.width - 0.5
      && box.y < size.height && box.y + box.height > 0;
  }

  // Where the boxes of a wide view stand once a narrower one is unfolded.
  function zoomed(box, frame, size, shift) {
    const scale = size.height / frame.height;
    const width = size.width / size.columns;
    return {
      x: (Math.round(box.x / box.width) - shift) * width, y: (box.y - frame.y) * scale, width,
      height: box.height * scale,
    };
  }

  window.TinyAlign = window.TinyAlign || {};
  window.TinyAlign.treeParts = { make, makeSVG, percent, exact, ratio, textWidth, fitted, readTree, isBelow,
    rest, columnCount, layOut, isSeen, zoomed };
})();
