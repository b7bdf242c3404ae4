"use strict";
// The live page, part two: the list of runs, and what is said of all that are chosen: tiles, alarms, comparison.
(() => {
  const page = window.TinyAlign.page;
  const { $, make, setMarkup, setText, count, counted, fixed } = page;

  page.runs = [];

  /// What the server said of a run.
  page.find = (id) => page.runs.find((run) => run.id === id);
  const nameOf = (id) => page.find(id)?.name ?? id;

  /// The run that stories, tellings and tree are of.
  page.focus = () => (page.view.runs.includes(page.view.run) ? page.view.run : page.view.runs[0] ?? "");

  // The list

  const words = {
    finished: "finished", interrupted: "interrupted", failed: "failed", gone: "folder deleted", running: "not moving",
  };
  const statusOf = (run) => (run.is_live ? "live" : run.is_dead ? "killed" : words[run.status] ?? run.status);

  /// Asks for the list and chooses a run where none is chosen.
  page.loadRuns = async () => {
    const answer = await page.ask("/api/runs");
    page.runs = Array.isArray(answer.runs) ? answer.runs : [];
    page.mostRuns = answer.most_runs ?? page.mostRuns;
    noteMissing(answer.folders ?? []);
    const known = page.view.runs.filter((id) => page.find(id));
    if (known.length === 0 && page.runs.length > 0) {
      // The newest is first; one that is under way comes before it.
      known.push((page.runs.find((run) => run.is_live) ?? page.runs[0]).id);
    }
    if (known.join() !== page.view.runs.join()) page.change({ runs: known });
    nameRuns();
    page.showRuns();
  };

  page.mostRuns = 24;

  // A link keeps the names of its runs, so that it still says what it showed when one of them has gone.
  const nameRuns = () => {
    const named = page.view.runs.map(nameOf).join(", ").slice(0, 400);
    if (named !== page.view.named) page.change({ named });
  };

  const noteMissing = (folders) => {
    const missing = page.view.runs.filter((id) => !page.find(id));
    if (missing.length === 0) return;
    const what = page.view.named ? `“${page.isolated(page.view.named)}”` : `the run ${missing.join(", ")}`;
    const who = page.view.runs.length === 1 ? "which is" : `of which ${counted(missing.length, "run is", "runs are")}`;
    setText($("missing"), `This link shows ${what}, ${who} not in ${folders.join(", ") || "the folders served here"}: deleted, `
      + "moved, or served by another tinyalign.");
    $("missing").hidden = false;
  };

  // Which rows the list has, and in what order

  const numberOr = (number, other) => (typeof number === "number" && Number.isFinite(number) ? number : other);
  const orders = {
    newest: () => 0,
    name: (a, b) => a.name.localeCompare(b.name, "en", { numeric: true }),
    reward: (a, b) => numberOr(b.last_reward, -Infinity) - numberOr(a.last_reward, -Infinity) || 0,
    kl: (a, b) => numberOr(a.last_kl, Infinity) - numberOr(b.last_kl, Infinity) || 0,
    steps: (a, b) => b.completed_steps - a.completed_steps,
  };
  const listed = () => {
    const wanted = page.view.find.toLowerCase().split(/\s+/).filter(Boolean);
    const text = (run) => [run.name, run.toward, run.model, statusOf(run)].join(" ").toLowerCase();
    return page.runs.filter((run) => wanted.every((word) => text(run).includes(word))).sort(orders[page.view.by]);
  };

  const showRunTools = (shown) => {
    $("run-tools").hidden = page.runs.length < 2;
    if (document.activeElement !== $("run-find")) $("run-find").value = page.view.find;
    $("run-order").value = page.view.by;
    const isFull = page.view.runs.length >= page.mostRuns;
    setText($("run-count"), [
      shown < page.runs.length ? `${count(shown)} of ${counted(page.runs.length, "run", "runs")}` : "",
      isFull ? `${page.mostRuns} runs are the most that can be compared.` : "",
    ].filter(Boolean).join(" · "));
  };

  const swatch = (position) => make("i", { class: `swatch w${position % 6}${position % 12 > 5 ? " dashes" : ""}` });

  const factsOf = (run) => [
    run.toward ? `toward “${page.isolated(run.toward)}”` : page.isolated(run.model ?? ""),
    `${count(run.completed_steps)} of ${counted(run.steps, "step", "steps")}`,
    run.last_reward === null ? "" : `reward ${fixed(run.last_reward, 3)}`,
    run.last_kl === null ? "" : `KL ${fixed(run.last_kl, 3)}`,
    run.doing ?? "",
  ].filter(Boolean).join(" · ");

  const rowOf = (id) => make("li", { "data-id": id },
    make("span", { class: "left" }, make("input", { type: "checkbox", "data-id": id })),
    make("button", { type: "button", class: "name", "data-run": id }));

  // Rows stay while their content changes, so that neither the focus nor a click in progress is lost.
  const fillRow = (row, run) => {
    const isFull = page.view.runs.length >= page.mostRuns;
    const signature = JSON.stringify([run, page.view.runs, isFull]);
    if (row.dataset.shown === signature) return;
    row.dataset.shown = signature;
    const position = page.view.runs.indexOf(run.id);
    const isChosen = position >= 0, several = page.view.runs.length > 1;
    const [left, name] = row.children;
    name.title = run.folder ?? "";
    row.classList.toggle("chosen", isChosen);
    left.firstElementChild.checked = isChosen;
    left.firstElementChild.disabled = isFull && !isChosen;
    left.firstElementChild.setAttribute("aria-label", `Show ${page.isolated(run.name)} with the others`);
    left.querySelector(".swatch")?.remove();
    if (isChosen && several) left.append(swatch(position));
    name.setAttribute("aria-pressed", String(isChosen && !several));
    name.replaceChildren(
      make("b", { dir: "auto", text: run.name }),
      make("span", { class: `chip ${run.is_live ? "live" : run.status}`, text: statusOf(run) }),
      make("span", { class: "facts", text: factsOf(run) }));
    if (run.message) name.append(make("span", { class: "facts warn", text: run.message }));
    if (run.is_live && run.steps > 0) {
      const share = Math.min(1, run.completed_steps / run.steps);
      name.append(make("span", { class: "progress" }, make("i", { style: `width:${(100 * share).toFixed(1)}%` })));
    }
  };

  /// Draws the list, the pickers and the title.
  page.showRuns = () => {
    const list = $("run-list");
    const old = new Map([...list.children].map((row) => [row.dataset.id, row]));
    const runs = listed();
    const rows = runs.map((run) => old.get(run.id) ?? rowOf(run.id));
    rows.forEach((row, index) => {
      if (list.children[index] !== row) list.insertBefore(row, list.children[index] ?? null);
      fillRow(row, runs[index]);
    });
    showRunTools(runs.length);
    while (list.children.length > rows.length) list.lastElementChild.remove();
    for (const picker of document.querySelectorAll(".pick-run")) {
      picker.hidden = page.view.runs.length < 2;
      const select = picker.querySelector("select");
      const signature = page.view.runs.map((id) => id + nameOf(id)).join();
      if (select.dataset.runs !== signature) {
        select.replaceChildren(...page.view.runs.map((id) => make("option", { value: id, text: nameOf(id), dir: "auto" })));
        select.dataset.runs = signature;
      }
      select.value = page.focus();
    }
    $("empty").hidden = page.runs.length > 0;
    for (const id of ["curves", "stories", "told-again", "tree", "recipe", "comparison"]) $(id).hidden = page.runs.length === 0;
    showHeadline();
  };

  const showHeadline = () => {
    const runs = page.view.runs.map(page.find).filter(Boolean);
    const [run] = runs;
    const title = runs.length > 1 ? `${runs.length} runs compared` : page.isolated(run?.name ?? "TinyAlign");
    setText($("overview-title"), title);
    const date = run?.created ? `${String(run.created).slice(0, 16).replace("T", " ")} UTC` : "";
    const about = run && [
      page.isolated(run.model ?? ""), run.toward ? `toward “${page.isolated(run.toward)}”` : "", `${counted(run.samples, "story", "stories")} a step`,
      run.prompts > 1 ? `${count(run.prompts)} prompts` : "", `seed ${run.seed}`, date,
    ];
    setText($("overview-over"), runs.length > 1 ? runs.map((each) => page.isolated(each.name)).join(" · ")
      : (about || []).filter(Boolean).join(" · "));
    document.title = runs.length ? `${title} – TinyAlign` : "TinyAlign";
    page.showState?.();
  };

  /// Shows these runs and nothing else.
  page.choose = (runs) => {
    const run = runs.includes(page.focus()) ? page.focus() : runs[0] ?? "";
    const other = run !== page.focus();
    $("missing").hidden = true;
    const named = runs.map(nameOf).join(", ").slice(0, 400);
    page.change({ runs, named, ...(other ? forgetful() : {}), run: runs.length > 1 ? run : "" }, true);
    page.showRuns();
    page.refreshAll();
  };

  // Another run has other steps, stories and prompts; a search is worth keeping.
  const forgetful = () => ({ step: page.view.step === "all" ? "all" : "latest", offset: 0, open: "", told: "latest",
    story: "", prompt: 0, before: "reference", after: "latest" });

  $("run-list").addEventListener("click", (event) => {
    const button = event.target.closest("button[data-run]");
    if (!button) return;
    if (matchMedia("(max-width: 999px)").matches) page.foldRuns(true);
    page.choose([button.dataset.run]);
  });
  $("run-list").addEventListener("change", (event) => {
    const { id } = event.target.dataset;
    const others = page.view.runs.filter((each) => each !== id);
    if (event.target.checked) page.choose([...others, id]);
    else if (others.length > 0) page.choose(others);
    else event.target.checked = true;
  });
  $("run-find").addEventListener("input", (event) => {
    page.change({ find: event.target.value });
    page.showRuns();
  });
  $("run-order").addEventListener("change", (event) => {
    page.change({ by: event.target.value });
    page.showRuns();
  });
  for (const select of document.querySelectorAll(".pick-run select")) {
    select.addEventListener("change", () => {
      page.change({ ...forgetful(), run: select.value }, true);
      page.showRuns();
      for (const id of ["stories", "told-again", "tree", "recipe"]) page.sections[id].now();
    });
  }

  // Tiles, alarms, differences

  const tile = ({ name, value, note }) =>
    make("div", { class: "tile" }, make("dt", { text: name }),
      make("dd", {}, value, ...(note ? [make("small", { text: note })] : [])));

  const tileTable = (runs) => {
    const names = runs[0].tiles.map((each) => each.name);
    const head = make("tr", {}, make("th", { scope: "col", text: "Run" }), ...names.map((name) =>
      make("th", { scope: "col", text: name })));
    const rows = runs.map((run) => make("tr", {},
      make("th", { scope: "row" }, swatch(page.view.runs.indexOf(run.id)), page.bdi(run.name)),
      ...names.map((name) => {
        const { value = "–", note = "" } = run.tiles.find((each) => each.name === name) ?? {};
        return make("td", { text: value, title: note });
      })));
    return make("div", { class: "scroll" }, make("table", { class: "facts-table" }, make("thead", {}, head),
      make("tbody", {}, ...rows)));
  };

  const showTiles = (runs) => {
    const place = $("tiles");
    // Not touched where nothing changed, so that a text being selected stays so.
    const signature = JSON.stringify(runs.map((run) => [run.id, run.name, run.tiles]));
    if (place.dataset.shown === signature) return;
    place.dataset.shown = signature;
    const told = runs.filter((run) => run.tiles?.length > 0);
    if (told.length === 0) place.replaceChildren(make("p", { class: "hint", text: "No step is done yet." }));
    else if (runs.length === 1) place.replaceChildren(make("dl", { class: "tiles" }, ...told[0].tiles.map(tile)));
    else place.replaceChildren(tileTable(told));
  };

  const showObservations = (runs) => {
    const place = $("observations");
    const parts = runs.filter((run) => run.observations_html);
    const several = runs.length > 1;
    while (place.children.length > parts.length) place.lastElementChild.remove();
    while (place.children.length < parts.length) place.append(make("div", {}, make("h3", {}), make("div", {})));
    parts.forEach((run, index) => {
      const [title, body] = place.children[index].children;
      title.hidden = !several;
      setText(title, run.name);
      setMarkup(body, run.observations_html);
    });
  };

  const showDifferences = (runs, differences) => {
    const several = runs.length > 1;
    setText($("comparison-hint"), !several
      ? "Tick a second run in the list: both are laid over each other, and the settings that differ are named here."
      : differences.length > 0 ? "The settings in which these runs differ; all others are the same."
        : "These runs have the same settings.");
    if (!several || differences.length === 0) {
      $("differences").replaceChildren();
      return;
    }
    const head = make("tr", {}, make("th", { scope: "col", text: "Setting" }),
      ...runs.map((run, position) => make("th", { scope: "col" }, swatch(position), page.bdi(run.name))));
    const rows = differences.map(({ key, values }) => make("tr", {}, make("th", { scope: "row" }, make("code", { text: key })),
      ...values.map((value) => make("td", { text: value, class: value.length > 24 && "long" }))));
    $("differences").replaceChildren(
      make("table", { class: "facts-table" }, make("thead", {}, head), make("tbody", {}, ...rows)));
  };

  const showExports = () => {
    const place = $("exports");
    const [id, ...more] = page.view.runs;
    place.hidden = !id || more.length > 0;
    if (place.hidden || place.dataset.run === id) return;
    place.dataset.run = id;
    const link = (what, text) => make("a", { href: page.route("/api/export", { run: id, what }), download: "", text });
    place.replaceChildren("Take with you: ", link("metrics.csv", "metrics.csv"), " · ", link("samples.csv", "samples.csv"),
      " · ", link("tree.svg", "story tree as SVG"));
  };

  page.section("overview", async (signal) => {
    if (page.view.runs.length === 0) return;
    const answer = await page.ask("/api/overview", { runs: page.view.runs.join() }, signal);
    showTiles(answer.runs);
    showObservations(answer.runs);
    showDifferences(answer.runs, answer.differences ?? []);
    showExports();
  });
  // The differences come with the overview; the section only has to be there.
  page.section("comparison", async () => {});

  page.section("glossary", async (signal) => {
    if ($("terms").childElementCount > 0) return;
    setMarkup($("terms"), (await page.ask("/api/glossary", {}, signal)).html);
  });

  /// Asks again for all: first what is in view, then the rest, so that the page has its height before anyone scrolls.
  page.refreshAll = async () => {
    const all = Object.values(page.sections);
    await Promise.all(all.map((section) => section.now()));
    for (const section of all) await section.fill();
  };
})();
