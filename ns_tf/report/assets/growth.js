"use strict";
// Whole widths on a curve, grown until no budget lets any layer grow, as
// ns_tf.scaling.growth grows them.

const REACH = 690, STRIDE = 0.5, HALVINGS = 40;

// Of the layers that may grow, the one that stays the furthest below the law does.
function topUp(widths, wanted, fits, { step, high }) {
  for (;;) {
    let best = -1, gain = -Infinity;
    for (let i = 0; i < widths.length; i++) {
      if (widths[i] + step > high[i]) continue;
      const grown = widths.slice();
      grown[i] += step;
      if (fits(grown) && wanted[i] / grown[i] > gain) {
        gain = wanted[i] / grown[i];
        best = i;
      }
    }
    if (best < 0) return widths;
    widths[best] += step;
  }
}

// Widths grown together where several layers can: those go on along the curve while the
// others stay, until one of them stops. `along` gives the widths, not whole, at a position
// x = ln tau; all layers go up to `start`.
function inTurns(widths, along, start, fits, grid) {
  const onCurve = along(start);
  for (;;) {
    const steps = commonSteps(widths, onCurve, fits, grid);
    if (steps.every((step) => step === 0)) return widths;
    const further = furtherAlong(widths, along, start, fits, grid, steps);
    // A layer of beta 0 stays where it is along the whole curve.
    const still = further.every((width, l) => width === widths[l]);
    widths = still ? bySteps(widths, steps, fits, grid) : further;
  }
}

// By layer a step, of all that can grow together, or 0. Those furthest below the curve are
// asked first.
function commonSteps(widths, onCurve, fits, { step, high }) {
  const alone = (l) => widths.map((width, m) => width + (m === l ? step : 0));
  const able = widths.map((width, l) => width + step <= high[l] && fits(alone(l)));
  const below = widths.map((width, l) => onCurve[l] / width);
  const steps = widths.map(() => 0);
  for (const l of [...widths.keys()].sort((l, m) => below[m] - below[l])) {
    if (!able[l]) continue;
    steps[l] = step;
    if (!fits(widths.map((width, m) => width + steps[m]))) steps[l] = 0;
  }
  return steps;
}

// Widths of which those with a step have grown as the curve grows, as far as fits.
function furtherAlong(widths, along, start, fits, grid, steps) {
  const onCurve = along(start);
  const at = (more) => {
    const curve = along(start + more);
    const grown = widths.map((width, l) => (width * curve[l]) / onCurve[l]);
    const whole = nearestOn(grid, grown);
    return widths.map((width, l) => (steps[l] ? Math.max(whole[l], width) : width));
  };
  const largest = (more) => at(more).every((width, l) => !steps[l] || width >= grid.high[l]);
  const most = REACH - start;
  let low = 0, high = STRIDE;
  while (high < most && fits(at(high))) {
    if (largest(high)) return at(high);
    low = high;
    high = Math.min(2 * high, most);
  }
  for (let i = 0; i < HALVINGS; i++) {
    const middle = (low + high) / 2;
    if (fits(at(middle))) low = middle;
    else high = middle;
  }
  return at(low);
}

// Widths grown by their steps as often as fits; once does.
function bySteps(widths, steps, fits, { high: most }) {
  const grown = (times) => widths.map((width, l) => width + times * steps[l]);
  const fitting = (times) =>
    grown(times).every((width, l) => width <= most[l]) && fits(grown(times));
  let low = 1, high = 2;
  while (fitting(high)) [low, high] = [high, 2 * high];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (fitting(middle)) low = middle;
    else high = middle;
  }
  return grown(low);
}
