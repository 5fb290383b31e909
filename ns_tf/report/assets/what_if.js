"use strict";
// The widths for a budget, as ns_tf.scaling.at_cost finds them: the same bracket, the
// same bisection, the same order of filters that are added.

const REACH = 690, STRIDE = 0.5, HALVINGS = 40, LARGEST_WIDTH = 65536;

// A cost polynomial (ns_tf.costs) as a function of whole widths.
function costFunction(polynomial) {
  const { coefficient, left, right, differ } = polynomial;
  return (widths) => {
    const x = [...widths, 1];
    let total = 0;
    for (let i = 0; i < coefficient.length; i++) {
      const [a, b] = differ[i];
      if (a >= 0 && x[a] === x[b]) continue;
      total += coefficient[i] * x[left[i]] * x[right[i]];
    }
    return total;
  };
}

// tau -> widths, not yet whole: a power law, or one number times given widths.
function curveFunction(curve) {
  if (curve.kind === "law") {
    return (tau) => curve.alpha.map((alpha, i) => alpha * Math.pow(tau, curve.beta[i]));
  }
  return (tau) => curve.widths.map((width) => width * Math.sqrt(tau / curve.scale));
}

// The widths of largest tau at which cost(widths) <= target, then grown one step of the
// grid at a time. Throws an Error with a sentence where there are none.
function atCost(curve, cost, target, { roundTo = 1, minWidth = 1 } = {}) {
  const low = Math.ceil(minWidth / roundTo) * roundTo;
  const high = Math.floor(LARGEST_WIDTH / roundTo) * roundTo;
  const along = curveFunction(curve);
  const layers = along(1).length;
  const nearest = (width) =>
    Math.min(Math.max(Math.floor(width / roundTo + 0.5) * roundTo, low), high);
  const widthsAt = (x) => along(Math.exp(x)).map(nearest);
  const fits = (widths) => cost(widths) <= target;
  if (low > high) throw new Error(`Widths end at ${LARGEST_WIDTH}.`);
  const [smallest, largest] = [low, high].map((width) => cost(Array(layers).fill(width)));
  if (!(target >= smallest)) {
    throw new Error(`Too little: the smallest network costs ${group(smallest)}.`);
  }
  if (target > largest) {
    throw new Error(`Too much: the largest network costs ${group(largest)}.`);
  }
  const x = crossing((at) => fits(widthsAt(at)), Math.log(curve.scale), widthsAt, high);
  const widths = topUp(widthsAt(x), along(Math.exp(x)), fits, roundTo, high);
  return { widths, tau: Math.exp(x) };
}

// Where the curve grows past the budget: it fits here, not just above.
function crossing(fits, start, widthsAt, largest) {
  let low = start;
  while (low >= -REACH && !fits(low)) low -= STRIDE;
  if (low < -REACH) {
    low = start;
    while (low <= REACH && !fits(low)) low += STRIDE;
    if (low > REACH) throw new Error("No point of the law is within this budget.");
  }
  let high = low + STRIDE;
  while (high <= REACH && fits(high)) {
    low = high;
    high += STRIDE;
  }
  if (high > REACH) {
    if (widthsAt(low).every((width) => width === largest)) return low;
    throw new Error("The law never gets as large as this budget.");
  }
  for (let i = 0; i < HALVINGS; i++) {
    const middle = (low + high) / 2;
    if (fits(middle)) low = middle;
    else high = middle;
  }
  return low;
}

// Of the layers that may grow, the one that stays the furthest below the law does.
function topUp(widths, wanted, fits, step, largest) {
  for (;;) {
    let best = -1, gain = -Infinity;
    for (let i = 0; i < widths.length; i++) {
      if (widths[i] + step > largest) continue;
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

function group(number) {
  return Math.round(number).toLocaleString("en-US");
}

// How far tau is outside the recorded range: 1 inside, 3 at three times its end.
function extrapolation(curve, tau) {
  if (!curve.range) return 1;
  return Math.max(curve.range[0] / tau, tau / curve.range[1], 1);
}

function startPage(data) {
  const costs = Object.fromEntries(
    Object.entries(data.costs).map(([name, polynomial]) => [name, costFunction(polynomial)])
  );
  const at = (id) => document.getElementById(id);
  const controls = ["curve", "budget", "target", "round_to", "min_width"].map(at);
  const [curveSelect, budgetSelect, target, roundTo, minWidth] = controls;
  const slider = at("slider");

  // The slider's span: from a hundredth of the default network's cost to ten times it.
  const span = (name) => {
    const cost = costs[name](data.default_widths);
    return [Math.log(cost / 100), Math.log(cost * 10)];
  };
  const toSlider = () => {
    const [low, high] = span(budgetSelect.value);
    slider.value = (1000 * (Math.log(Number(target.value)) - low)) / (high - low);
  };
  const fromSlider = () => {
    const [low, high] = span(budgetSelect.value);
    const cost = Math.exp(low + ((high - low) * slider.value) / 1000);
    const digits = Math.pow(10, Math.max(0, Math.floor(Math.log10(cost)) - 2));
    target.value = Math.round(cost / digits) * digits;
  };

  const show = () => {
    const curve = data.curves[curveSelect.value];
    const cost = costs[budgetSelect.value];
    let found = null, problem = "";
    try {
      const options = { roundTo: Number(roundTo.value), minWidth: Number(minWidth.value) };
      for (const [name, value] of Object.entries(options)) {
        if (!Number.isInteger(value) || value < 1) {
          throw new Error(`${name} is a whole number from 1.`);
        }
      }
      if (!(Number(target.value) > 0)) throw new Error("A budget is a positive number.");
      found = atCost(curve, cost, Number(target.value), options);
    } catch (error) {
      problem = error.message;
    }
    at("problem").textContent = problem;
    at("answer").hidden = !found;
    if (!found) return;
    const far = extrapolation(curve, found.tau);
    at("extrapolation").textContent = curve.range ? `${far.toFixed(2)} times` : "no law";
    at("warning").textContent =
      far > data.far
        ? `The law was recorded between ${group(curve.range[0])} and ` +
          `${group(curve.range[1])} parameters; this far outside, laws are often off.`
        : "";
    for (const [name, count] of Object.entries(costs)) {
      at(`cost_${name}`).textContent = group(count(found.widths));
    }
    const widest = Math.max(...found.widths, ...data.default_widths);
    at("list").textContent = found.widths.join(",");
    found.widths.forEach((width, i) => {
      at(`width_${i}`).textContent = width;
      at(`bar_${i}`).style.width = `${(100 * width) / widest}%`;
      at(`mark_${i}`).style.left = `${(100 * data.default_widths[i]) / widest}%`;
    });
  };

  slider.addEventListener("input", () => {
    fromSlider();
    show();
  });
  for (const control of controls) {
    control.addEventListener("input", () => {
      if (control === budgetSelect) {
        target.value = costs[budgetSelect.value](data.default_widths);
      }
      toSlider();
      show();
    });
  }
  target.value = data.start;
  toSlider();
  show();
}

startPage(JSON.parse(document.getElementById("data").textContent));
