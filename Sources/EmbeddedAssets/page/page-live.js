"use strict";
// The live page, part seven: news from the server, the state in words, the keyboard, and the start.
(() => {
  const page = window.TinyAlign.page;
  const { $, setText, count } = page;

  // The state

  let isConnected = true, isLockedOut = false;

  page.showState = () => {
    const place = $("state");
    const runs = page.view.runs.map(page.find).filter(Boolean);
    const live = runs.filter((run) => run.is_live);
    const [run] = runs;
    let kind = "still", text = "";
    if (isLockedOut) [kind, text] = ["lost", "Address expired"];
    else if (!isConnected) [kind, text] = ["lost", "Server gone; trying again"];
    else if (runs.some((each) => each.status === "gone")) [kind, text] = ["lost", "Folder deleted"];
    else if (live.length > 1) [kind, text] = ["live", `${live.length} live`];
    else if (live.length === 1) [kind, text] = ["live", `Live · ${live[0].doing ?? `step ${count(live[0].completed_steps)}`}`];
    else if (runs.length > 1) text = `${runs.length} runs`;
    else if (run?.status === "failed") [kind, text] = ["lost", "Failed"];
    else if (run?.status === "interrupted") text = "Interrupted";
    else if (run?.is_dead) [kind, text] = ["lost", "Killed"];
    else if (run?.status === "running") text = "Not moving";
    else if (run) text = "Finished";
    place.dataset.kind = kind;
    setText(place, text);
  };

  // News

  const ofRun = ["overview", "curves", "stories", "told-again", "tree"];
  const soon = () => ofRun.forEach((id) => page.sections[id].soon());

  let listing = null, listAgain = false;
  const refreshList = async () => {
    if (listing) {
      listAgain = true;
      return listing;
    }
    listing = page.loadRuns().catch(() => {});
    await listing;
    listing = null;
    if (listAgain) {
      listAgain = false;
      setTimeout(refreshList, 300);
    }
  };

  const isShown = (id) => page.view.runs.includes(id);

  // The page asks what is new while somebody sees it. A stream would hold one of the six connections that a browser keeps
  // to a host, and the sixth page would hang them all.
  let version = "", asking = null, next = 0, pause = 500;

  const listen = async () => {
    clearTimeout(next);
    if (document.hidden || asking) return;
    asking = page.ask("/api/news", { since: version }, AbortSignal.timeout?.(20000));
    let wait = 1000;
    try {
      const news = await asking;
      version = String(news.version ?? "");
      const wasLost = !isConnected;
      isConnected = true;
      isLockedOut = false;
      pause = 500;
      // Whatever happened meanwhile: all is asked for again.
      if (wasLost || news.all) await startAgain();
      else await heed(news);
    } catch (error) {
      isConnected = false;
      isLockedOut = error.status === 403;
      page.showState();
      wait = pause;
      pause = Math.min(4000, pause * 1.5);
    }
    asking = null;
    clearTimeout(next);
    next = setTimeout(listen, wait);
  };
  document.addEventListener("visibilitychange", listen);

  const startAgain = async () => {
    page.forgetStory();
    await refreshList();
    page.showState();
    page.refreshAll();
  };

  const heard = new Map();
  const heed = async ({ runs, steps = [], resets = [], gone = [] }) => {
    for (const { run, step, doing } of steps) {
      const known = page.find(run);
      // The list may have told of the step before; how far one is in the next step is no news for the sections.
      const isFurther = heard.get(run) !== step;
      heard.set(run, step);
      if (known && Number.isSafeInteger(step)) {
        known.doing = doing;
        known.completed_steps = Math.max(known.completed_steps, step);
        known.is_live = true;
        listSoon();
      }
      if (isShown(run) && isFurther) soon();
    }
    if (!runs && resets.length === 0 && gone.length === 0) return;
    const before = page.view.runs.join();
    await refreshList();
    if (resets.some(isShown)) {
      if (resets.includes(page.focus())) {
        page.forgetStory();
        page.change({ step: page.view.step === "all" ? "all" : "latest", offset: 0, open: "", told: "latest", story: "",
          prompt: 0, before: "reference", after: "latest" });
      }
      page.refreshAll();
    } else if (page.view.runs.join() !== before) page.refreshAll();
    else soon();
  };

  // The list shows how far runs are; drawing it more often than this would only disturb.
  let drawing = 0, reading = 0;
  const listSoon = () => {
    page.showState();
    drawing ||= setTimeout(() => {
      drawing = 0;
      if (!document.hidden) page.showRuns();
    }, 500);
    reading ||= setTimeout(() => {
      reading = 0;
      refreshList();
    }, 2500);
  };

  // The frame: folding the list, colours, finding one's way

  const wide = matchMedia("(min-width: 1000px)");
  page.foldRuns = (isFolded) => {
    document.body.classList.toggle("folded", isFolded);
    $("runs-toggle").setAttribute("aria-expanded", String(!isFolded));
  };
  $("runs-toggle").addEventListener("click", () => page.foldRuns(!document.body.classList.contains("folded")));
  wide.addEventListener("change", () => page.foldRuns(!wide.matches));

  const themes = ["", "light", "dark"];
  const themeNames = ["as the system has them", "light", "dark"];
  const setTheme = (theme) => {
    if (theme) document.documentElement.dataset.theme = theme;
    else delete document.documentElement.dataset.theme;
    const text = `Colours: ${themeNames[themes.indexOf(theme)]}`;
    $("theme").title = text;
    setText($("theme").querySelector(".hidden"), text);
    try {
      localStorage.setItem("theme", theme);
    } catch {
      // Without storage the choice lasts as long as the page.
    }
  };
  const storedTheme = () => {
    try {
      const theme = localStorage.getItem("theme") ?? "";
      return themes.includes(theme) ? theme : "";
    } catch {
      return "";
    }
  };
  $("theme").addEventListener("click", () => {
    setTheme(themes[(themes.indexOf(document.documentElement.dataset.theme ?? "") + 1) % themes.length]);
  });

  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  const links = [...document.querySelectorAll("#sections a")];
  // What fills itself on the way moves the aim, so the page follows it for a moment, unless the reader turns elsewhere.
  let aim = null;
  const goTo = (id) => {
    aim = { id, until: performance.now() + 1500 };
    $(id).scrollIntoView({ behavior: calm.matches ? "instant" : "smooth", block: "start" });
  };
  const followAim = () => {
    if (aim && performance.now() < aim.until) $(aim.id).scrollIntoView({ behavior: "instant", block: "start" });
  };
  for (const event of ["wheel", "touchmove", "pointerdown", "keydown"]) {
    addEventListener(event, () => { aim = null; }, { passive: true, capture: true });
  }
  for (const link of links) {
    link.addEventListener("click", (event) => {
      // The part after # holds the view, so a jump is made here; the focus goes along.
      event.preventDefault();
      const id = link.hash.slice(1);
      goTo(id);
      const title = $(id).querySelector("h1, h2");
      title.tabIndex = -1;
      title.focus({ preventScroll: true });
    });
  }
  document.querySelector(".skip").addEventListener("click", (event) => {
    event.preventDefault();
    $("main").focus();
  });
  const markSection = () => {
    const line = 0.3 * innerHeight;
    let current = links[0];
    for (const link of links) {
      const section = $(link.hash.slice(1));
      if (!section.hidden && section.getBoundingClientRect().top < line) current = link;
    }
    if (scrollY + innerHeight >= document.documentElement.scrollHeight - 2 && scrollY > 0) current = links.at(-1);
    for (const link of links) {
      if (link !== current) {
        link.removeAttribute("aria-current");
      } else if (!link.hasAttribute("aria-current")) {
        link.setAttribute("aria-current", "true");
        const bar = $("sections");
        if (bar.scrollWidth > bar.clientWidth) bar.scrollTo({ left: link.offsetLeft - bar.offsetLeft - 40 });
      }
    }
  };
  let marking = 0;
  const markSoon = () => {
    marking ||= requestAnimationFrame(() => {
      marking = 0;
      markSection();
    });
  };
  addEventListener("scroll", markSoon, { passive: true });
  new ResizeObserver(() => {
    followAim();
    markSoon();
  }).observe($("main"));

  // The keyboard

  const openHelp = () => $("help").showModal();
  $("help-open").addEventListener("click", openHelp);
  $("help-close").addEventListener("click", () => $("help").close());

  const keys = {
    "/": () => {
      $("search").scrollIntoView({ block: "center", behavior: "instant" });
      $("search").focus();
    },
    "[": () => page.moveStep(-1),
    "]": () => page.moveStep(1),
    "?": openHelp,
    Escape: () => page.closeStory(),
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || document.querySelector("dialog[open]")) return;
    const isWriting = event.target.matches?.("input:not([type=range],[type=checkbox]), select, textarea");
    if (isWriting) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    const act = keys[event.key];
    if (!act) return;
    if (event.key !== "Escape") event.preventDefault();
    act();
  });

  // The start

  addEventListener("popstate", async () => {
    page.readAddress();
    page.forgetStory();
    await refreshList();
    page.showRuns();
    page.showStoryControls();
    page.refreshAll();
  });

  const start = async () => {
    setTheme(storedTheme());
    page.foldRuns(!wide.matches);
    page.readAddress();
    try {
      // What changes after this is news.
      version = String((await page.ask("/api/news")).version ?? "");
      await page.loadRuns();
    } catch (error) {
      page.tell($("overview"), error.message);
    }
    if (wide.matches) document.querySelector("#run-list .chosen")?.scrollIntoView({ block: "nearest" });
    page.refreshAll();
    listen();
  };
  start();
})();
