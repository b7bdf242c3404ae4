"use strict";
// The live page, part four: the table of stories, the same seed's stories over time, and the story tree.
(() => {
  const page = window.TinyAlign.page;
  const { $, make, setMarkup, setText, count, fixed } = page;

  /// A slider with buttons before and after it; `moved` gets the new position.
  const slider = (name, moved) => {
    const input = $(name), output = $(`${name}-shown`);
    const move = (by) => {
      const before = input.value;
      input.value = Number(input.value) + by;
      if (input.value !== before) moved(Number(input.value));
    };
    input.addEventListener("input", () => moved(Number(input.value)));
    $(`${name}-back`)?.addEventListener("click", () => move(-1));
    $(`${name}-on`)?.addEventListener("click", () => move(1));
    return {
      move,
      show(first, last, position, text) {
        input.min = first;
        input.max = Math.max(first, last);
        if (Number(input.value) !== position) input.value = position;
        input.setAttribute("aria-valuetext", text);
        setText(output, text);
      },
      enable(isOn) {
        for (const each of [input, $(`${name}-back`), $(`${name}-on`)]) if (each) each.disabled = !isOn;
      },
    };
  };

  /// What the model wrote, first and whole; it stands by itself, whatever direction it is written in.
  const quote = (text, finish, mark) => {
    const said = text.replace(/^[ \n]+/, "").slice(0, 4000);
    const parts = [make("bdi", {}, ...(said ? mark(said) : []), text.length > 4000 ? "…" : "")];
    if (!said) parts.push(make("span", { class: "ended", text: "nothing" }));
    if (finish === "stop") parts.push(make("span", { class: "ended", title: "The model ended its text here", text: " (end)" }));
    return parts;
  };

  const longPrompt = 240;
  /// What a prompt is called: the last words of people in a conversation, or the end of a text.
  const promptName = (prompt, words, room) => {
    const all = Array.from(words ?? prompt);
    if (all.length <= room) return all.join("");
    return words ? `${all.slice(0, room).join("")}…` : `…${all.slice(-room).join("").replace(/^\S*\s/, "")}`;
  };

  /// A prompt by itself; a long one, and one that a template wrote, can be unfolded.
  const promptBlock = (prompt, words) => {
    if (!words && prompt.length <= longPrompt) {
      return make("p", { class: "lead-prompt" }, "Prompt: ", make("bdi", { text: prompt }));
    }
    return make("details", { class: "folded" },
      make("summary", {}, "Prompt: ", make("bdi", { text: promptName(prompt, words, words ? 240 : 160) })),
      make("div", { class: "whole", dir: "auto", text: prompt.slice(0, 20000) }));
  };

  const bar = (reward) => {
    const share = Math.min(1, Math.max(0, reward));
    return make("i", { class: "bar", style: `--share:${Number.isFinite(share) ? share.toFixed(3) : 0}` });
  };

  // The table

  const pageSize = 25;
  let last = { first: 1, last: 1, total: 0, run: "" };
  let opened = null;
  const directionOf = (view) => view.order || (view.sort === "index" ? "asc" : "desc");

  const step = slider("step", (position) => {
    page.change({ step: position >= last.last ? "latest" : position, offset: 0, open: "" });
    showControls();
    page.sections.stories.now();
  });
  page.moveStep = (by) => {
    if (page.view.step !== "all") step.move(by);
  };

  const shownStep = () => {
    const { step } = page.view;
    if (step === "all") return "all";
    return step === "latest" ? last.last : Math.min(Math.max(step, last.first), last.last);
  };

  const showControls = () => {
    const { view } = page;
    const isAll = view.step === "all";
    $("step-all").checked = isAll;
    step.enable(!isAll && last.last > last.first);
    const position = isAll ? last.last : shownStep();
    step.show(last.first, last.last, position, isAll ? `all ${count(last.last)}` : `${count(position)} of ${count(last.last)}`);
    if ($("search") !== document.activeElement) $("search").value = view.q;
    $("sort").value = view.sort;
    const direction = directionOf(view);
    setText($("order"), direction === "asc" ? "↑ lowest" : "↓ highest");
    for (const head of document.querySelectorAll("#sample-table th")) {
      const isSorted = head.dataset.sort === view.sort;
      if (isSorted) head.setAttribute("aria-sort", direction === "asc" ? "ascending" : "descending");
      else head.removeAttribute("aria-sort");
    }
    const from = last.total === 0 ? 0 : view.offset + 1, to = Math.min(last.total, view.offset + pageSize);
    const note = last.indexed === false ? " so far; the rest is still being read" : "";
    setText($("page-shown"), last.total === 0 ? "" : `${count(from)}–${count(to)} of ${count(last.total)}${note}`);
    $("page-back").disabled = view.offset === 0;
    $("page-on").disabled = view.offset + pageSize >= last.total;
  };

  const marker = (query) => {
    if (!query) return (text) => [text];
    const pattern = new RegExp(query.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"), "giu");
    return (text) => {
      const parts = [];
      let end = 0;
      for (const match of text.matchAll(pattern)) {
        parts.push(text.slice(end, match.index), make("mark", { text: match[0] }));
        end = match.index + match[0].length;
      }
      return [...parts, text.slice(end)];
    };
  };

  const keyOf = (sample) => `${sample.step}.${sample.index}`;

  const row = (sample, mark, shared) => {
    const key = keyOf(sample);
    const cell = (label, ...content) => make("td", { class: "number", "data-label": label }, ...content);
    const where = page.view.step === "all" ? `step ${count(sample.step)} · ${sample.index}` : String(sample.index);
    const button = make("button", { type: "button", class: "story", "aria-expanded": "false", "data-key": key },
      make("span", { class: "where", text: where }),
      make("span", { class: "answer" },
        make("span", { class: "said-text", dir: "auto" }, ...quote(sample.text, sample.finish_reason, mark)),
        shared ? "" : make("span", { class: "after" }, "after ",
          make("bdi", {}, ...mark(promptName(sample.prompt, sample.words, 90))))));
    return make("tr", { "data-key": key }, make("td", {}, button),
      cell("Reward", fixed(sample.reward, 3), bar(sample.reward)), cell("Advantage", fixed(sample.advantage, 3)),
      cell("KL", fixed(sample.kl, 3)), cell("Tokens", count(sample.tokens)));
  };

  // Rows are not exchanged under a finger.
  let isPressed = false;
  $("samples").addEventListener("pointerdown", () => { isPressed = true; });
  for (const end of ["pointerup", "pointercancel"]) addEventListener(end, () => { isPressed = false; });

  const showSamples = (samples) => {
    const body = $("samples");
    if (isPressed) {
      page.sections.stories.soon();
      return;
    }
    const signature = JSON.stringify([page.focus(), page.view.q, page.view.step === "all", samples]);
    if (body.dataset.shown !== signature) {
      body.dataset.shown = signature;
      body.classList.toggle("anywhere", page.view.step === "all");
      const focused = body.contains(document.activeElement) ? document.activeElement.dataset.key : null;
      const mark = marker(page.view.q);
      // A prompt that all rows have is shown once, above them.
      const shared = samples.length > 0 && samples.every((sample) => sample.prompt === samples[0].prompt);
      const place = $("stories-prompt");
      const prompt = shared ? JSON.stringify([samples[0].prompt, samples[0].words]) : "";
      if (place.dataset.shown !== prompt) {
        place.dataset.shown = prompt;
        place.replaceChildren(...(shared ? [promptBlock(samples[0].prompt, samples[0].words)] : []));
      }
      body.replaceChildren(...samples.map((sample) => row(sample, mark, shared)));
      if (samples.length === 0) {
        const text = page.view.q ? "No story says that." : "No story yet.";
        body.append(make("tr", { class: "none" }, make("td", { colspan: 5, text })));
      }
      if (focused) body.querySelector(`button[data-key="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
    }
    showOpened();
  };

  const load = async (signal) => {
    const run = page.focus();
    if (!run) return;
    const { view } = page;
    const known = page.find(run)?.completed_steps ?? 1;
    if (last.run !== run) last = { first: 1, last: Math.max(1, known), total: 0, run };
    const ask = (asked) => page.ask("/api/samples", {
      run, step: asked, q: view.q, sort: view.sort, order: directionOf(view), offset: view.offset, limit: pageSize,
    }, signal);
    const asked = view.step === "latest" ? Math.max(known, last.last) : view.step;
    let answer = await ask(asked);
    // The steps may be other ones than the list said: the run was restarted, or is ahead of its metrics.
    if (asked !== "all" && asked !== answer.last_step && answer.last_step > 0
      && (view.step === "latest" || asked > answer.last_step)) answer = await ask(answer.last_step);
    last = { first: answer.first_step || 1, last: Math.max(1, answer.last_step || 0), total: answer.total, run,
      indexed: answer.indexed };
    if (view.offset > 0 && view.offset >= answer.total) {
      page.change({ offset: Math.max(0, Math.ceil(answer.total / pageSize) - 1) * pageSize });
      if (answer.total > 0) return load(signal);
    }
    showControls();
    showSamples(answer.samples);
    if (answer.indexed === false) setTimeout(() => page.sections.stories.soon(), 600);
  };
  page.section("stories", load, 500);

  const search = (changes) => {
    page.change({ offset: 0, open: "", ...changes });
    showControls();
    page.sections.stories.now();
  };
  let typing = 0;
  $("search").addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(() => search({ q: $("search").value }), 150);
  });
  $("step-all").addEventListener("change", () => search({ step: $("step-all").checked ? "all" : "latest" }));
  $("sort").addEventListener("change", () => search({ sort: $("sort").value, order: "" }));
  const reverse = () => search({ order: directionOf(page.view) === "asc" ? "desc" : "asc" });
  $("order").addEventListener("click", reverse);
  document.querySelector("#sample-table thead").addEventListener("click", (event) => {
    const sort = event.target.closest("th")?.dataset.sort;
    if (!sort) return;
    if (sort === page.view.sort) reverse();
    else search({ sort, order: "" });
  });
  const turn = (by) => {
    page.change({ offset: Math.max(0, page.view.offset + by * pageSize), open: "" });
    page.sections.stories.now();
  };
  $("page-back").addEventListener("click", () => turn(-1));
  $("page-on").addEventListener("click", () => turn(1));

  // A story, opened

  const fill = async (place, path, parameters) => {
    try {
      setMarkup(place, (await page.ask(path, parameters)).heat_map);
      window.TinyAlign.heatMap?.(place);
    } catch (error) {
      place.replaceChildren(make("p", { class: "problem", text: error.message }));
    }
  };

  const showOpened = () => {
    const body = $("samples"), key = page.view.open, run = page.focus();
    body.querySelector("tr.detail")?.remove();
    for (const button of body.querySelectorAll("button.story")) {
      button.setAttribute("aria-expanded", String(button.dataset.key === key));
    }
    const rowOfKey = key && body.querySelector(`tr[data-key="${CSS.escape(key)}"]`);
    if (!rowOfKey) return;
    if (opened?.key !== key || opened.run !== run) {
      const place = make("div", { class: "opened" });
      const [step, index] = key.split(".");
      opened = { key, run, row: make("tr", { class: "detail" }, make("td", { colspan: 5 }, place)) };
      fill(place, "/api/sample", { run, step, index });
    }
    rowOfKey.after(opened.row);
  };

  $("samples").addEventListener("click", (event) => {
    const { key } = event.target.closest("tr[data-key]")?.dataset ?? {};
    if (!key || String(getSelection())) return;
    const isOpen = page.view.open === key;
    // Whoever reads a story of a run that goes on wants to stay at its step.
    const stays = !isOpen && page.view.step === "latest" ? { step: Number(key.split(".")[0]) } : {};
    page.change({ open: isOpen ? "" : key, ...stays });
    showOpened();
  });
  $("samples").addEventListener("keydown", (event) => {
    if (!event.target.matches("button.story") || !["ArrowUp", "ArrowDown"].includes(event.key)) return;
    const buttons = [...$("samples").querySelectorAll("button.story")];
    buttons[buttons.indexOf(event.target) + (event.key === "ArrowDown" ? 1 : -1)]?.focus();
    event.preventDefault();
  });
  page.closeStory = () => {
    if (!page.view.open) return;
    const button = $("samples").querySelector(`button[data-key="${CSS.escape(page.view.open)}"]`);
    page.change({ open: "" });
    showOpened();
    button?.focus();
  };
  page.forgetStory = () => { opened = null; };

  page.promptBlock = promptBlock;
  page.promptName = promptName;
  page.slider = slider;
  page.quote = quote;
  page.bar = bar;
  page.fill = fill;
  /// Shows the controls as the view has them: after the reader went back to an earlier one.
  page.showStoryControls = showControls;
})();
