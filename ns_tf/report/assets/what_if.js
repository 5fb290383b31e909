"use strict";
// The widths for budgets along a curve, as ns_tf.scaling.at_cost finds them: the same
// bracket, the same bisection, the same order of filters that are added; and the page's
// controls. Widths at a price are found by priced.js.

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

// The widths that meet every budget: along a curve, or of most value by a price law.
// A budget has a polynomial, its cost as a function of whole widths, and a target.
// Throws an Error with a sentence where there are none.
function widthsFor(curve, budgets, options = {}) {
  const { roundTo = 1, minWidth = 1, exponent, sizeOf } = options;
  const low = Math.ceil(minWidth / roundTo) * roundTo;
  const high = Math.floor(LARGEST_WIDTH / roundTo) * roundTo;
  if (low > high) throw new Error(`Widths end at ${LARGEST_WIDTH}.`);
  const layers = (curve.alpha || curve.widths).length;
  for (const { polynomial, cost, target } of budgets) {
    const [smallest, largest] = [low, high].map((width) => cost(Array(layers).fill(width)));
    const of = (total) => `network costs ${group(total)} ${polynomial.unit}.`;
    if (!(target >= smallest)) throw new Error(`Too little: the smallest ${of(smallest)}`);
    if (target > largest) throw new Error(`Too much: the largest ${of(largest)}`);
  }
  const grid = { step: roundTo, low, high };
  if (curve.kind === "price") return atPrice(curve, budgets, grid, exponent, sizeOf);
  return atCost(curve, budgets, grid);
}

// The widths of largest tau at which every budget holds, then grown one step of the grid
// at a time.
function atCost(curve, budgets, { step, low, high }) {
  const along = curveFunction(curve);
  const nearest = (width) =>
    Math.min(Math.max(Math.floor(width / step + 0.5) * step, low), high);
  const widthsAt = (x) => along(Math.exp(x)).map(nearest);
  const fits = (widths) => budgets.every(({ cost, target }) => cost(widths) <= target);
  const x = crossing((at) => fits(widthsAt(at)), Math.log(curve.scale), widthsAt, high);
  const widths = topUp(widthsAt(x), along(Math.exp(x)), fits, step, high);
  return { widths, taus: [Math.exp(x)] };
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

// How far taus are outside the recorded range: 1 inside, 3 at three times its end.
function extrapolation(curve, taus) {
  if (!curve.range) return 1;
  const [low, high] = curve.range;
  return Math.max(low / Math.min(...taus), Math.max(...taus) / high, 1);
}

// What the budgets of a plan at a price are worth, and how good it is, as sentences.
function pricingLines({ asked, exponent, floored, shares, gap, source, fall }, units) {
  const digits = (number) =>
    number.toLocaleString("en-US", { maximumSignificantDigits: 3 });
  const [first, ...others] = units.map((_, k) => k).filter((k) => shares[k]);
  const recorded = () => {
    const [low, high] = [-1.96, 1.96].map((z) => (asked + z * fall.error).toFixed(2));
    const [from, to] = fall.range.map(group);
    return ` (${low} to ${high}), by ${fall.events} events from ${from} to ${to} parameters`;
  };
  const assumed = source === "assumed" ? ", assumed: no scores say it" : "";
  return [
    `One more filter is worth tau^-${digits(asked)}${fall ? recorded() : assumed}` +
      (floored ? `; ${digits(exponent)} is used, above every beta.` : "."),
    ...(floored && fall
      ? ["Scores fall too slowly here to say what a layer's last filters are worth."]
      : []),
    ...units.map((unit, k) =>
      shares[k]
        ? `The budget of ${unit} takes ${(100 * shares[k]).toFixed(1)} % of the value.`
        : `The budget of ${unit} does not bind.`
    ),
    ...others.map((k) => {
      const worth = digits(shares[first] / shares[k]);
      return `1 % more ${units[first]} is worth ${worth} % more ${units[k]}.`;
    }),
    `At most ${(100 * Math.max(gap, 0)).toFixed(3)} % more loss of value than any widths ` +
      "within the budgets.",
  ];
}

function startPage(data) {
  const costs = Object.fromEntries(
    Object.entries(data.costs).map(([name, polynomial]) => [name, costFunction(polynomial)])
  );
  const at = (id) => document.getElementById(id);
  const controls = [
    "curve", "budget", "target", "second", "second_target",
    "round_to", "min_width", "exponent",
  ].map(at);
  const [curveSelect, budgetSelect, target, second, secondTarget] = controls;
  const [roundTo, minWidth, exponent] = controls.slice(5);
  const slider = at("slider");

  // The number in a field that may stay empty; undefined if it is.
  const optional = (field) => {
    if (field.value === "" && !field.validity.badInput) return undefined;
    return Number(field.value || NaN);
  };

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

  // The budgets that are asked for: one, or two that both hold.
  const budgets = () => {
    const asked = [[budgetSelect.value, Number(target.value)]];
    const more = optional(secondTarget);
    if (more !== undefined) asked.push([second.value, more]);
    return asked.map(([name, target]) => {
      if (!(target > 0)) throw new Error("A budget is a positive number.");
      return { polynomial: data.costs[name], cost: costs[name], target };
    });
  };

  const find = (curve) => {
    const options = { roundTo: Number(roundTo.value), minWidth: Number(minWidth.value) };
    for (const [name, value] of Object.entries(options)) {
      if (!Number.isInteger(value) || value < 1) {
        throw new Error(`${name} is a whole number from 1.`);
      }
    }
    const asked = budgets();
    const sizeOf = costs.params;
    const p = optional(exponent);
    const found = widthsFor(curve, asked, { ...options, exponent: p, sizeOf });
    const units = asked.map(({ polynomial }) => polynomial.unit);
    return { ...found, lines: found.pricing ? pricingLines(found.pricing, units) : [] };
  };

  const show = () => {
    const curve = data.curves[curveSelect.value];
    const priced = curve.kind === "price";
    at("price").hidden = !priced;
    if (priced) exponent.placeholder = curve.worth ? "by record" : curve.exponent;
    let found = null, problem = "";
    try {
      found = find(curve);
    } catch (error) {
      problem = error.message;
    }
    at("problem").textContent = problem;
    at("answer").hidden = !found;
    if (!found) return;
    const far = extrapolation(curve, found.taus);
    at("extrapolation").textContent = curve.range ? `${far.toFixed(2)} times` : "no law";
    at("warning").textContent =
      far > data.far
        ? `The law was recorded between ${group(curve.range[0])} and ` +
          `${group(curve.range[1])} parameters; this far outside, laws are often off.`
        : "";
    for (const [name, count] of Object.entries(costs)) {
      at(`cost_${name}`).textContent = group(count(found.widths));
    }
    at("pricing").replaceChildren(
      ...found.lines.map((line) => {
        const item = document.createElement("li");
        item.textContent = line;
        return item;
      })
    );
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
        if (second.value === budgetSelect.value) {
          second.value = Object.keys(costs).find((name) => name !== second.value);
          secondTarget.value = "";
        }
      }
      if (control === second) secondTarget.value = "";
      toSlider();
      show();
    });
  }
  target.value = data.start;
  toSlider();
  show();
}

startPage(JSON.parse(document.getElementById("data").textContent));
