"use strict";
// The live page, part six: the recipe of the run in focus, every setting in force, and what it ran on.
(() => {
  const page = window.TinyAlign.page;
  const { $, setMarkup } = page;

  page.section("recipe", async (signal) => {
    const run = page.focus();
    if (!run) return;
    const answer = await page.ask("/api/recipe", { run }, signal);
    if (setMarkup($("recipe-table"), answer.html)) window.TinyAlign.recipe($("recipe-table"));
    $("recipe-file").href = page.route("/api/export", { run, what: "recipe.yaml" });
  }, 5000);
})();
