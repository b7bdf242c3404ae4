// A run's recipe: a button that copies it as a YAML file.
"use strict";

window.TinyAlign = window.TinyAlign || {};

(() => {
  // Browsers give pages from other computers no clipboard: the text is then selected and copied as if by hand.
  function copySelected(details) {
    details.open = true;
    const range = document.createRange();
    range.selectNodeContents(details.querySelector("pre"));
    const selection = getSelection();
    selection.removeAllRanges();
    selection.addRange(range);
    return document.execCommand("copy");
  }

  async function copy(details) {
    try {
      await navigator.clipboard.writeText(details.querySelector("pre").textContent);
      return true;
    } catch {
      return copySelected(details);
    }
  }

  function wire(details) {
    if (details.dataset.wired) return;
    details.dataset.wired = "1";
    const button = document.createElement("button");
    button.type = "button";
    button.className = "recipe-copy";
    button.textContent = "Copy as YAML";
    const said = document.createElement("span");
    said.setAttribute("role", "status");
    const line = document.createElement("p");
    line.className = "recipe-tools";
    line.append(button, said);
    button.addEventListener("click", async () => {
      said.textContent = (await copy(details)) ? "Copied." : "Selected: copy it with Ctrl+C or Command+C.";
    });
    details.before(line);
  }

  window.TinyAlign.recipe = (root) => root.querySelectorAll(".recipe-yaml").forEach(wire);
})();
