"use strict";
// The live page, part five: what training changed: the same seed's stories at several steps, and the story tree.
(() => {
  const page = window.TinyAlign.page;
  const { $, make, setMarkup, setText, count, fixed, slider, quote, bar, fill, promptBlock, promptName } = page;

  const updates = (step) => (step === 0 ? "before training" : `after ${page.counted(step, "update", "updates")}`);

  /// Where a step stands in a list; the last one for "latest" and for a step that is not there.
  const place = (steps, step) => {
    const found = steps.indexOf(step);
    return found >= 0 ? found : steps.length - 1;
  };

  // Tellings

  let told = { run: "", steps: [], stories: [] };
  let playing = 0;

  const tellingSlider = slider("told-step", (position) => {
    stopPlaying();
    showAt(position);
  });

  const showAt = (position) => {
    const step = told.steps[position];
    page.change({ told: position === told.steps.length - 1 ? "latest" : step });
    showTellings();
  };

  /// Marks what follows the beginning that two texts share, from the start of the word where they part.
  const parting = (before) => (text) => {
    const first = before?.replace(/^[ \n]+/, "") ?? null;
    if (first === null || first === text) return [text];
    let same = 0;
    while (same < text.length && text[same] === first[same]) same += 1;
    while (same > 0 && !/\s/.test(text[same - 1] ?? " ")) same -= 1;
    return [text.slice(0, same), make("mark", { class: "changed", text: text.slice(same) })];
  };

  const telling = (story, telling, first, label) => make("div", { class: "telling" },
    make("p", { class: "label", text: label }),
    make("blockquote", {}, ...quote(telling.text, telling.finish_reason, parting(first))),
    make("p", { class: "earned" }, bar(telling.reward), `reward ${fixed(telling.reward, 3)}`));

  const pair = (story, step, shared) => {
    const at = story.tellings.find((each) => each.step === step);
    const first = story.tellings.find((each) => each.step === told.steps[0]);
    if (!at || !first) return null;
    const isOpen = page.view.story === String(story.index);
    const sides = step === first.step ? [telling(story, first, null, updates(first.step))]
      : [telling(story, first, null, updates(first.step)), telling(story, at, first.text, updates(step))];
    const button = make("button", { type: "button", class: "plain framed small", "data-story": story.index,
      "aria-expanded": String(isOpen), text: "Token by token" });
    const map = make("div", { class: "opened", hidden: !isOpen });
    if (isOpen) fill(map, "/api/followed-map", { run: told.run, index: story.index, step });
    return make("article", { class: "pair", "data-story": story.index },
      shared ? "" : promptBlock(story.prompt, story.words), make("div", { class: "two" }, ...sides), button, map);
  };

  const showTellings = () => {
    const list = $("tellings");
    const position = place(told.steps, page.view.told);
    const step = told.steps[position];
    tellingSlider.enable(told.steps.length > 1);
    $("told-play").disabled = told.steps.length < 2;
    tellingSlider.show(0, told.steps.length - 1, Math.max(0, position), step === undefined ? "–" : updates(step));
    const signature = JSON.stringify([told.run, step, page.view.story, told.stories.map((story) =>
      story.tellings.filter((each) => each.step === step || each.step === told.steps[0]))]);
    if (list.dataset.shown === signature) return;
    list.dataset.shown = signature;
    const focused = list.contains(document.activeElement) ? document.activeElement.dataset.story : null;
    const [one] = told.stories;
    const shared = told.stories.length > 0 && told.stories.every((story) => story.prompt === one.prompt);
    const pairs = step === undefined ? [] : told.stories.map((story) => pair(story, step, shared)).filter(Boolean);
    if (shared && pairs.length > 0) pairs.unshift(promptBlock(one.prompt, one.words));
    list.replaceChildren(...(pairs.length > 0 ? pairs
      : [make("p", { class: "hint", text: "This run followed no stories, or has not told any yet." })]));
    if (focused) list.querySelector(`button[data-story="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  };

  page.section("told-again", async (signal) => {
    const run = page.focus();
    if (!run) return;
    const answer = await page.ask("/api/followed", { run }, signal);
    told = { run, steps: answer.steps, stories: answer.stories };
    showTellings();
  }, 1500);

  $("tellings").addEventListener("click", (event) => {
    const index = event.target.closest("button[data-story]")?.dataset.story;
    if (index === undefined) return;
    page.change({ story: page.view.story === index ? "" : index });
    showTellings();
  });

  const stopPlaying = () => {
    clearInterval(playing);
    playing = 0;
    setText($("told-play"), "▶ Play");
  };
  const playOn = () => {
    const position = place(told.steps, page.view.told);
    if (position + 1 >= told.steps.length) stopPlaying();
    else showAt(position + 1);
  };
  $("told-play").addEventListener("click", () => {
    if (playing) return stopPlaying();
    setText($("told-play"), "❚❚ Stop");
    showAt(0);
    playing = setInterval(playOn, 1200);
  });

  // The tree

  let treeSteps = [];
  const treeSlider = slider("tree-after", (position) => {
    page.change({ after: position === treeSteps.length - 1 ? "latest" : treeSteps[position] });
    showTreeControls();
    page.sections.tree.now();
  });

  const options = (select, entries, value) => {
    const signature = JSON.stringify(entries);
    if (select.dataset.shown !== signature) {
      select.dataset.shown = signature;
      select.replaceChildren(...entries.map(([value, text]) => make("option", { value, text })));
    }
    select.value = String(value);
  };

  const showTreeControls = (prompts) => {
    if (prompts) {
      $("tree-prompt-field").hidden = prompts.length < 2;
      options($("tree-prompt"), prompts.map((text, index) => [index, page.isolated(promptName(text, null, 80))]), page.view.prompt);
    }
    options($("tree-before"), [["reference", "original model"],
      ...treeSteps.map((step) => [step, step === 0 ? "before training" : `update ${count(step)}`])], page.view.before);
    const position = place(treeSteps, page.view.after);
    const step = treeSteps[position];
    treeSlider.enable(treeSteps.length > 1);
    treeSlider.show(0, treeSteps.length - 1, Math.max(0, position), step === undefined ? "–" : updates(step));
  };

  page.section("tree", async (signal) => {
    const run = page.focus();
    if (!run) return;
    const { prompt, before, after } = page.view;
    const answer = await page.ask("/api/tree", {
      run, prompt, before: before === "reference" ? null : before, after: after === "latest" ? null : after,
    }, signal);
    treeSteps = answer.steps;
    showTreeControls(answer.prompts);
    // An unfolded branch stays unfolded while the picture is the same.
    const picture = $("tree-picture");
    if (setMarkup(picture, answer.html)) window.TinyAlign.tree?.(picture);
  }, 1500);

  $("tree-prompt").addEventListener("change", () => {
    page.change({ prompt: Number($("tree-prompt").value) });
    page.sections.tree.now();
  });
  $("tree-before").addEventListener("change", () => {
    const { value } = $("tree-before");
    page.change({ before: value === "reference" ? value : Number(value) });
    page.sections.tree.now();
  });
})();
