"use strict";
// The live page, part three: the curves of all chosen runs; the address keeps how they are shown.
(() => {
  const page = window.TinyAlign.page;
  const { $, make, setMarkup, setText } = page;
  const { plots } = window.TinyAlign;

  plots.keep = () => page.change(plots.writtenChoices());

  const panel = (key) => make("figure", { class: "panel", "data-key": key },
    make("figcaption", {}, make("h3", {}), make("p", {})), make("div", { class: "picture" }),
    make("a", { class: "take", download: "", text: "SVG" }));

  const showPanels = (panels) => {
    const place = $("panels");
    const old = new Map([...place.children].map((each) => [each.dataset.key, each]));
    const figures = panels.map(({ key, title, help, svg }) => {
      const figure = old.get(key) ?? panel(key);
      const [caption, picture, take] = figure.children;
      setText(caption.children[0], title);
      setText(caption.children[1], help);
      setMarkup(picture, svg);
      take.hidden = page.view.runs.length > 1;
      take.href = page.route("/api/export", { run: page.view.runs[0], what: `panel-${key}.svg` });
      take.setAttribute("aria-label", `${title} as an SVG file`);
      return figure;
    });
    if (figures.length !== place.children.length || figures.some((figure, index) => place.children[index] !== figure)) {
      place.replaceChildren(...figures);
    }
    // It goes on where the reader's pointer or focus was.
    plots.readChoices(new URLSearchParams(page.view));
    window.TinyAlign.charts(place);
  };

  page.section("curves", async (signal) => {
    if (page.view.runs.length === 0) return;
    const answer = await page.ask("/api/charts", { runs: page.view.runs.join() }, signal);
    showPanels(answer.panels);
  }, 500);
})();
