"use strict";
// The live page, part one of seven: what is shown (kept in the address), asking the server, and sections that refresh
// themselves. Sections ask only while they are in view, and not more often than the page can follow.
window.TinyAlign = window.TinyAlign || {};
(() => {
  const page = window.TinyAlign.page = {};

  // The cookie holds the secret now: it need not stay where others see the address, in a picture of the screen say.
  if (location.search) history.replaceState(null, "", location.pathname + location.hash);

  page.$ = (id) => document.getElementById(id);

  /// An element; what stories and runs say goes in as text, never as markup.
  page.make = (tag, attributes, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) {
      if (name === "text") element.textContent = value;
      else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
      else if (value === true) element.setAttribute(name, "");
      else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value);
    }
    element.append(...children);
    return element;
  };

  /// Replaces an element's content by markup that the server made and escaped; false where it is the same already.
  const shown = new WeakMap();
  page.setMarkup = (element, markup) => {
    if (shown.get(element) === markup) return false;
    shown.set(element, markup);
    element.innerHTML = markup;
    return true;
  };

  /// Sets an element's text without disturbing the page where it is the same.
  page.setText = (element, text) => {
    if (element.textContent !== text) element.textContent = text;
  };

  // Texts

  /// A text of a run as it may stand beside others: what turns the direction of writing is replaced, and so are heaps of marks.
  const calm = (text) => text.replace(/[\u202a-\u202e\u2066-\u2069]/g, "\ufffd").replace(/([\p{Mn}\p{Me}]{4})[\p{Mn}\p{Me}]+/gu, "$1");

  /// A text between others in one line, which leaves their direction of writing as it is.
  page.bdi = (text) => page.make("bdi", { text });

  /// The same where there can be no elements: in a title, an option, a label.
  page.isolated = (text) =>
    (/[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff\u200f\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u.test(text) ? `\u2068${text}\u2069` : text);

  // Numbers

  const grouped = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
  page.count = (number) => grouped.format(number);
  page.counted = (number, one, many) => `${page.count(number)} ${number === 1 ? one : many}`;
  page.fixed = (number, digits) =>
    typeof number === "number" && Number.isFinite(number) ? number.toFixed(digits).replace("-", "−") : "–";

  // What is shown

  const defaults = {
    runs: [], named: "", run: "", find: "", by: "newest", step: "latest", q: "", sort: "index", order: "", offset: 0, open: "", told: "latest", story: "",
    prompt: 0, before: "reference", after: "latest",
    // How curves are shown; charts-tools.js reads and writes them.
    smooth: "", x: "", log: "", hide: "",
  };
  page.view = { ...defaults };

  const stepOrWord = (text, words) => {
    if (words.includes(text)) return text;
    const number = Number(text);
    return Number.isSafeInteger(number) && number >= 0 ? number : words[0];
  };
  const wholeNumber = (text) => {
    const number = Number(text);
    return Number.isSafeInteger(number) && number >= 0 ? number : 0;
  };
  const oneOf = (text, words) => (words.includes(text) ? text : words[0]);
  const readers = {
    runs: (text) => text.split(",").filter((id) => /^[0-9a-f]{1,64}$/i.test(id)).slice(0, 24),
    run: (text) => (/^[0-9a-f]{1,64}$/i.test(text) ? text : ""),
    // The names of the runs: a link says more than the server knows, where one of them has gone.
    named: (text) => text.slice(0, 400),
    find: (text) => text.slice(0, 200),
    by: (text) => oneOf(text, ["newest", "name", "reward", "kl", "steps"]),
    step: (text) => stepOrWord(text, ["latest", "all"]),
    q: (text) => text.slice(0, 200),
    sort: (text) => oneOf(text, ["index", "reward", "kl", "advantage", "length"]),
    order: (text) => oneOf(text, ["", "asc", "desc"]),
    offset: wholeNumber,
    open: (text) => (/^\d{1,9}\.\d{1,9}$/.test(text) ? text : ""),
    told: (text) => stepOrWord(text, ["latest"]),
    story: (text) => (/^\d{1,9}$/.test(text) ? text : ""),
    prompt: wholeNumber,
    before: (text) => stepOrWord(text, ["reference"]),
    after: (text) => stepOrWord(text, ["latest"]),
    smooth: (text) => text.slice(0, 8),
    x: (text) => text.slice(0, 16),
    log: (text) => text.slice(0, 400),
    hide: (text) => text.slice(0, 4000),
  };

  /// Reads the part of the address after #.
  page.readAddress = () => {
    const parameters = new URLSearchParams(location.hash.slice(1));
    const view = { ...defaults };
    for (const [key, read] of Object.entries(readers)) {
      const text = parameters.get(key);
      if (text !== null) view[key] = read(text);
    }
    clearTimeout(writing);
    page.view = view;
  };

  const address = (view) => {
    const parameters = new URLSearchParams();
    for (const key of Object.keys(defaults)) {
      const text = Array.isArray(view[key]) ? view[key].join(",") : String(view[key]);
      if (text !== String(defaults[key])) parameters.set(key, text);
    }
    return `#${parameters.toString().replaceAll("%2C", ",")}`;
  };

  /// Changes what is shown; `asNew` leaves the old view behind the browser's back button.
  page.change = (changes, asNew) => {
    if (asNew) writeAddress(false);
    Object.assign(page.view, changes);
    clearTimeout(writing);
    // Browsers limit how often a page may write its address, and a slider moves often.
    if (asNew) writeAddress(true);
    else writing = setTimeout(writeAddress, 120, false);
  };

  let writing = 0;
  const writeAddress = (asNew) => {
    const hash = address(page.view);
    if (hash === (location.hash || "#")) return;
    if (asNew) history.pushState(null, "", hash);
    else history.replaceState(null, "", hash);
  };

  // Asking the server

  /// The address of a route with its parameters; those that are null or empty are left out. It is relative to the page,
  /// which a reverse proxy may show under a path of its own.
  page.route = (path, parameters) => {
    const query = new URLSearchParams();
    for (const [key, value] of Object.entries(parameters || {})) {
      if (value !== null && value !== undefined && value !== "") query.set(key, value);
    }
    const text = query.toString().replaceAll("%2C", ",");
    return `.${path}${text ? `?${text}` : ""}`;
  };

  // What the server made and escaped is as it should be.
  const markup = new Set(["html", "svg", "heat_map", "observations_html"]);

  /// The JSON that a route answers.
  page.ask = async (path, parameters, signal) => {
    let answer;
    try {
      answer = await fetch(page.route(path, parameters), { signal });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Error("The server does not answer. Is tinyalign still running?");
    }
    let value = {};
    try {
      value = JSON.parse(await answer.text(), (key, value) =>
        (typeof value === "string" && !markup.has(key) ? calm(value) : value));
    } catch (error) {
      if (answer.ok) throw error.name === "AbortError" ? error : new Error("The server's answer broke off.");
    }
    if (!answer.ok) {
      throw Object.assign(new Error(value.error || `The server answered ${answer.status}.`), { status: answer.status });
    }
    return value;
  };

  // Sections

  page.sections = {};
  const bySight = new IntersectionObserver((entries) => {
    for (const entry of entries) page.sections[entry.target.id]?.see(entry.isIntersecting);
  }, { rootMargin: "240px 0px" });

  /// A section that `load` fills: at once when the reader asks (`now`), soon when the run went on (`soon`).
  page.section = (id, load, interval = 400) => {
    const element = page.$(id);
    let wanted = false, isVisible = false, current = null, timer = 0, ended = -Infinity, took = 0;

    const run = async (evenUnseen) => {
      clearTimeout(timer);
      timer = 0;
      if (document.hidden || !(isVisible || evenUnseen === true)) return;
      wanted = false;
      current?.abort();
      const mine = current = new AbortController();
      const begin = performance.now();
      try {
        await load(mine.signal);
        if (!mine.signal.aborted) page.tell(element, "");
      } catch (error) {
        if (!mine.signal.aborted) page.tell(element, error.message);
      }
      if (current !== mine) return;
      current = null;
      ended = performance.now();
      took = ended - begin;
      element.dataset.ready = "";
      if (wanted) later();
    };
    const later = () => {
      // A slow answer (a long run, a busy computer) leaves more time before the next question.
      const pause = Math.max(interval, 3 * took) - (performance.now() - ended);
      if (!timer && !current) timer = setTimeout(run, Math.max(0, pause));
    };
    const section = {
      now() {
        wanted = true;
        return run();
      },
      soon() {
        wanted = true;
        later();
      },
      /// Fills it although it is out of view, where it waits for that.
      async fill() {
        if (wanted && !current) await run(true);
      },
      see(visible) {
        isVisible = visible;
        if (visible && wanted && !current) run();
      },
      stop() {
        current?.abort();
      },
    };
    page.sections[id] = section;
    bySight.observe(element);
    return section;
  };
  document.addEventListener("visibilitychange", () => {
    for (const section of Object.values(page.sections)) section.soon();
  });

  /// Says in a section what went wrong there; an empty message takes it back.
  page.tell = (element, message) => {
    const place = element.querySelector(".problem");
    if (!place) return;
    place.hidden = !message;
    page.setText(place, message);
  };
})();
