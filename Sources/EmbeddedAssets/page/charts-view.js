// Charts, part one: what a reader chose (smoothing, axes, hidden curves), and a chart's numbers as they are then shown.
"use strict";

window.TinyAlign = window.TinyAlign || {};

(() => {
  const POWERS = "⁰¹²³⁴⁵⁶⁷⁸⁹";
  const plots = window.TinyAlign.plots = {};

  /// How curves are shown; the same for all charts of a page. `log` has the keys of charts with a logarithmic axis,
  /// `hidden` the labels of curves that are left out.
  plots.choices = { smoothing: 0, across: "step", log: [], hidden: [] };

  // --- Numbers

  const signed = (text) => text.replace("-", "−");

  plots.written = (value) => {
    if (value === null || value === undefined) return "–";
    const size = Math.abs(value);
    if (size === 0) return "0";
    if (size < 0.001 || size >= 1e7) {
      const [mantissa, exponent] = value.toExponential(2).split("e");
      const digits = String(Number(exponent)).replace("-", "⁻").replace(/[0-9]/g, (digit) => POWERS[digit]);
      return signed(`${mantissa}×10${digits}`);
    }
    if (size >= 100) return signed(value.toLocaleString("en-US", { maximumFractionDigits: 0 }));
    return signed(Number.isInteger(value) ? String(value) : value.toPrecision(3));
  };

  plots.duration = (seconds) => {
    const short = Number(seconds.toPrecision(3));
    if (seconds < 99.5) return `${short >= 0.001 ? short : plots.written(short)} s`;
    const whole = Math.round(seconds);
    return whole < 3600 ? `${Math.floor(whole / 60)} min ${whole % 60} s`
      : `${Math.floor(whole / 3600).toLocaleString("en-US")} h ${Math.floor(whole % 3600 / 60)} min`;
  };

  const shortened = (value, step) => {
    if (Math.abs(value) < step / 2) return "0";
    const size = Math.abs(value), decimals = (unit) => Math.min(8, Math.max(0, -Math.floor(Math.log10(step / unit) + 1e-9)));
    if (size !== 0 && (size < 1e-3 || size >= 1e9)) return plots.written(value).replace(/^(−?)1\.00×/, "$1").replace(/\.?0+×/, "×");
    if (size >= 1e6) return signed(`${(value / 1e6).toFixed(decimals(1e6))}M`);
    if (size >= 1e4) return signed(`${(value / 1e3).toFixed(decimals(1e3))}k`);
    return signed(value.toFixed(decimals(1)));
  };

  /// About `count` round numbers of an axis with their labels: steps of 1, 2 or 5 times a power of ten.
  const linearTicks = (from, to, count, isWhole) => {
    const rough = (to - from) / count, power = 10 ** Math.floor(Math.log10(rough));
    let step = ([1, 2, 5, 10].find((each) => each * power >= rough * (1 - 1e-9)) ?? 10) * power;
    if (isWhole) step = Math.max(1, step);
    const ticks = [];
    for (let index = Math.ceil(from / step - 1e-9); index * step <= to + step * 1e-9 && ticks.length < 50; index += 1) {
      ticks.push({ value: index * step, label: shortened(index * step, step) });
    }
    return ticks;
  };

  /// Powers of ten, with 2 and 5 times them where there are few; over a short range as on any other axis.
  const logarithmicTicks = (from, to) => {
    const first = Math.floor(Math.log10(from)), last = Math.ceil(Math.log10(to));
    const every = Math.max(1, Math.ceil((last - first) / 6));
    for (const factors of [[1], [1, 2, 5]]) {
      const ticks = [];
      for (let exponent = first; exponent <= last; exponent += every) {
        for (const factor of factors) {
          const value = factor * 10 ** exponent;
          if (value >= from * (1 - 1e-9) && value <= to * (1 + 1e-9)) ticks.push({ value, label: shortened(value, value) });
        }
      }
      if (ticks.length >= 3) return ticks;
    }
    return linearTicks(from, to, 4).filter((tick) => tick.value > 0);
  };

  /// The debiased exponential average that TensorBoard draws: y is the mean of all values up to a point, each weighing
  /// `weight` times as much as the one after it; gaps stay gaps.
  plots.smoothed = (values, weight) => {
    let sum = 0, mass = 0;
    return values.map((value) => {
      if (value === null) return null;
      sum = sum * weight + (1 - weight) * value;
      mass = mass * weight + (1 - weight);
      return sum / mass;
    });
  };

  // --- A chart as it is shown

  const units = { step: "step", completions: "completions", time: "time" };
  const clockOf = { completions: "completions", time: "seconds" };

  /// Where the points of a curve are along the axis that the reader chose; null where its run has none.
  const positions = (data, one, across) => {
    const steps = one.t ?? data.t;
    if (across === "step") return steps;
    return (one.t ? one.clock : data.clocks[one.r])?.[clockOf[across]] ?? steps;
  };

  plots.keyOf = (svg) => svg.dataset.key ?? svg.closest("[data-key]")?.dataset.key ?? svg.getAttribute("aria-label");
  plots.canBeLogarithmic = (data) => !data.s.some((one) => one.a);
  const hasClocks = (data) => data.s.every((one) => (one.t ? one.clock : data.clocks[one.r]));

  // Of a long run a chart holds every so many steps: a point then weighs as all that it stands for.
  const weightOf = ({ t }, smoothing) => {
    const gaps = t.slice(1).map((step, index) => step - t[index]).sort((a, b) => a - b);
    return smoothing ** Math.max(1, gaps[gaps.length >> 1] ?? 1);
  };

  /// The points of each curve that is not hidden, as drawn.
  const curvesOf = (data, across, { smoothing, hidden }, isLogarithmic) => {
    let ground = null;
    const weight = weightOf(data, smoothing);
    return data.s.filter((one) => !hidden.includes(one.l)).map((one) => {
      const at = positions(data, one, across);
      const kept = at.map((_, index) => index).filter((index) => at[index] !== null);
      const pick = (values) => kept.map((index) => values[index]);
      const raw = pick(one.v);
      const isSmooth = smoothing > 0 && !one.t;
      const values = isSmooth ? plots.smoothed(raw, weight) : raw;
      const spread = one.d ? (isSmooth ? plots.smoothed(pick(one.d), weight) : pick(one.d)) : null;
      const curve = { one, at: pick(at), raw, values, spread, isSmooth, steps: pick(one.t ?? data.t) };
      curve.x = one.t ? pick(one.x) : curve.at;
      if (one.a) {
        curve.floor = ground ?? values.map(() => 0);
        ground = curve.floor.map((low, index) => low + (values[index] ?? 0));
        curve.y = ground;
      } else {
        curve.y = values;
      }
      if (isLogarithmic) curve.y = curve.y.map((value) => (value > 0 ? value : null));
      return curve;
    });
  };

  const rangeOf = (values) => {
    let low = Infinity, high = -Infinity;
    for (const value of values) {
      if (value === null || !Number.isFinite(value)) continue;
      if (value < low) low = value;
      if (value > high) high = value;
    }
    return low <= high ? [low, high] : null;
  };

  const verticalRange = (data, curves, isLogarithmic) => {
    const all = curves.flatMap((curve) => [
      ...curve.y, ...(curve.floor ?? []), ...(curve.isSmooth && !curve.floor ? curve.raw : []),
      ...(curve.spread ? curve.values.flatMap((value, index) =>
        value === null ? [] : [value - curve.spread[index], value + curve.spread[index]]) : []),
    ]).concat(curves.length > 0 ? data.rules.map((rule) => rule.v) : []);
    const range = rangeOf(isLogarithmic ? all.filter((value) => value > 0) : all);
    if (!range) return null;
    let [low, high] = range;
    if (isLogarithmic) {
      const air = Math.max(1.05, (high / low) ** 0.05);
      return [low / air, high * air];
    }
    if (data.zero) [low, high] = [Math.min(low, 0), Math.max(high, 0)];
    if (high - low <= Math.max(Math.abs(low), Math.abs(high)) * 1e-9) {
      const air = Math.abs(high) / 2 || 1;
      return data.zero && low >= 0 ? [0, high + air] : [low - air, high + air];
    }
    const air = (high - low) * 0.05;
    return [data.zero && low === 0 ? 0 : low - air, data.zero && high === 0 ? 0 : high + air];
  };

  /// The axis along the bottom: its range, ticks and name.
  const horizontalAxis = (data, curves, across, count) => {
    const isTrail = curves.some((curve) => curve.one.t);
    const range = rangeOf(curves.flatMap((curve) => curve.x)) ?? [0, 1];
    let [low, high] = range;
    if (isTrail) return { range: data.xr, ticks: linearTicks(...data.xr, count), label: data.x };
    if (across === "step") {
      if (low === high) [low, high] = [low - 1, low + 1];
      else if (low === 1 && high >= 10) low = 0;
      return { range: [low, high], ticks: linearTicks(low, high, count, true), label: data.x };
    }
    [low, high] = [0, high > 0 ? high : 1];
    if (across === "completions") {
      return { range: [low, high], ticks: linearTicks(low, high, count, true), label: "completions" };
    }
    const [unit, name] = high < 180 ? [1, "seconds"] : high < 10800 ? [60, "minutes"] : [3600, "hours"];
    const ticks = linearTicks(low, high / unit, count).map(({ value, label }) => ({ value: value * unit, label }));
    return { range: [low, high], ticks, label: `${name} of training` };
  };

  /// A chart by what its attribute holds and what the reader chose. Without a `size` its frame is the server's, and it is
  /// drawn anew only where a choice asks for that.
  plots.view = (svg, data, size) => {
    const { choices } = plots;
    const key = plots.keyOf(svg);
    const across = hasClocks(data) ? choices.across : "step";
    const isLogarithmic = choices.log.includes(key) && plots.canBeLogarithmic(data);
    const curves = curvesOf(data, across, choices, isLogarithmic);
    const isChanged = Boolean(size) || isLogarithmic || curves.some((curve) => curve.isSmooth)
      || curves.length < data.s.length || data.rules.some((rule) => choices.hidden.includes(rule.n))
      || (across !== "step" && data.t.length > 0);
    const [serverLeft, top, serverRight, serverBottom] = data.plot;
    const view = {
      svg, data, key, across, isLogarithmic, curves, isChanged, top, left: serverLeft, right: serverRight,
      bottom: serverBottom, xr: data.xr, yr: data.yr, note: "",
    };
    if (isChanged) {
      if (size) [view.right, view.bottom] = [size.width - 18, size.height - 40];
      view.yr = verticalRange(data, curves, isLogarithmic);
      const below = isLogarithmic ? curves.reduce((sum, curve) => sum + curve.values.filter((value) =>
        value !== null && value <= 0).length, 0) : 0;
      if (curves.length === 0) view.note = "All curves are hidden: click a name above to show one.";
      else if (!view.yr) view.note = "No value is above 0: a logarithmic axis has no place for them.";
      else if (below > 0) {
        view.note = `${below === 1 ? "1 value is" : `${below.toLocaleString("en-US")} values are`} 0 or less, `
          + "for which a logarithmic axis has no place.";
      }
      view.yr ??= isLogarithmic ? [0.1, 1] : [0, 1];
      view.yTicks = isLogarithmic ? logarithmicTicks(...view.yr) : linearTicks(...view.yr, size ? 7 : 5);
      view.left = Math.max(30, 14 + 6.6 * Math.max(0, ...view.yTicks.map((tick) => tick.label.length)));
      const axis = horizontalAxis(data, curves, across, size ? 10 : 6);
      [view.xr, view.xTicks, view.xLabel] = [axis.range, axis.ticks, axis.label];
    }
    const scale = isLogarithmic ? Math.log : (value) => value;
    const [low, high] = view.yr.map(scale);
    view.px = (x) => view.left + (x - view.xr[0]) / (view.xr[1] - view.xr[0]) * (view.right - view.left);
    view.py = (y) => view.bottom - (scale(y) - low) / (high - low) * (view.bottom - view.top);
    view.stops = [...new Set(curves.flatMap((curve) => curve.at))].sort((a, b) => a - b);
    view.isTrail = curves.some((curve) => curve.one.t);
    return view;
  };

  /// The place of the value nearest to `at` among ascending ones.
  plots.nearest = (values, at) => {
    let low = 0, high = values.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (values[middle] <= at) low = middle; else high = middle - 1;
    }
    const next = values[low + 1];
    return next !== undefined && next - at < at - values[low] ? low + 1 : low;
  };

  /// What each curve says at a place of the axis that the reader chose.
  plots.valuesAt = (view, at) => view.curves.map((curve) => {
    const place = plots.nearest(curve.at, at);
    const isThere = curve.at.length > 0 && at <= curve.at[curve.at.length - 1]
      && (view.across !== "step" || view.isTrail || curve.at[place] === at);
    const value = isThere ? curve.values[place] ?? null : null;
    return {
      name: curve.one.n, color: curve.one.c, look: curve.one.k, value, isTrail: Boolean(curve.one.t),
      raw: curve.isSmooth && isThere ? curve.raw[place] ?? null : null, spread: curve.spread?.[place] ?? null,
      x: curve.x[place], y: isThere ? curve.y[place] ?? null : null, step: isThere ? curve.steps[place] : null,
    };
  });

  plots.stopName = (view, at, values) => {
    if (view.across === "step") return `step ${at.toLocaleString("en-US")}`;
    const steps = [...new Set(values.map((one) => one.step).filter((step) => step !== null))];
    const own = view.across === "time" ? plots.duration(at)
      : `${at.toLocaleString("en-US")} ${units.completions}`;
    return steps.length === 1 ? `step ${steps[0].toLocaleString("en-US")} · ${own}` : own;
  };
})();
