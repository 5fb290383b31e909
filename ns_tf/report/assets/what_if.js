"use strict";
// The widths for budgets along a curve, as ns_tf.scaling.at_cost finds them: the same
// bracket, the same bisection, the same order of filters that are added (growth.js); and
// the page's controls. Widths at a price are found by priced.js.

const LARGEST_WIDTH = 65536;
const USELESS = 10; // A larger gap says nothing, as of an exponent of 1,000.

// tau -> widths, not yet whole: a power law, one number times given widths, or on the way
// down from a network (ranks.js).
function curveFunction(curve) {
  if (curve.at) return curve.at;
  if (curve.kind === "law") {
    return (tau) => curve.alpha.map((alpha, i) => alpha * Math.pow(tau, curve.beta[i]));
  }
  return (tau) => curve.widths.map((width) => width * Math.sqrt(tau / curve.scale));
}

// The widths that meet every budget: along a curve, or of most value by a price law.
// A budget has a cost (costs.js) and a target.
// Throws an Error with a sentence where there are none.
function widthsFor(curve, budgets, options = {}) {
  const { roundTo = 1, minWidth = 1, exponent, sizeOf, macs } = options;
  const layers = (curve.alpha || curve.widths || curve.sets).length;
  const limit = budgets.map(({ cost }) => cost.largest).find((largest) => largest);
  const grid = gridOf(roundTo, minWidth, layers, limit);
  // A budget that all networks are below asks for nothing, where another one can bind.
  const binds = budgets.some(({ cost, target }) => target <= cost.of(grid.high));
  for (const { cost, target } of budgets) {
    const [smallest, largest] = [grid.low, grid.high].map(cost.of);
    const of = (total) => `network costs ${told(total)} ${cost.unit}.`;
    if (!(target >= smallest)) throw new Error(`Too little: the smallest ${of(smallest)}`);
    if (!binds) throw new Error(`Too much: the largest ${of(largest)}`);
  }
  if (curve.kind === "price") return atPrice(curve, budgets, grid, exponent, sizeOf);
  const ranked = curve.kind === "filters";
  const along = ranked ? rankedCurve(curve, budgets, sizeOf, macs) : curve;
  return atCost(along, budgets, grid);
}

// The step of whole widths, and by layer the lowest and the highest. A layer that has no
// multiple of the step within a limit keeps the limit.
function gridOf(step, minWidth, layers, limit) {
  const least = Math.ceil(minWidth / step) * step;
  const most = Math.floor(LARGEST_WIDTH / step) * step;
  if (least > most) throw new Error(`Widths end at ${LARGEST_WIDTH}.`);
  const within = (width) => {
    const multiple = Math.floor(width / step) * step;
    return multiple < least ? width : multiple;
  };
  const high = limit ? limit.map(within) : Array(layers).fill(most);
  return { step, low: high.map((width) => Math.min(least, width)), high };
}

// The nearest whole widths on a grid.
function nearestOn({ step, low, high }, widths) {
  return widths.map((width, l) =>
    Math.min(Math.max(Math.floor(width / step + 0.5) * step, low[l]), high[l])
  );
}

// The widths of largest tau at which every budget holds, then grown: one step of the grid
// at a time, or in turns where a budget is the largest of several sums.
function atCost(curve, budgets, grid) {
  const along = curveFunction(curve);
  const widthsAt = (x) => nearestOn(grid, along(Math.exp(x)));
  const fits = (widths) => budgets.every(({ cost, target }) => cost.of(widths) <= target);
  const start = Math.log(curve.scale);
  const x = crossing((at) => fits(widthsAt(at)), start, widthsAt, grid.high);
  const turns = budgets.some(({ cost }) => cost.inTurns);
  const widths = turns
    ? inTurns(widthsAt(x), (at) => along(Math.exp(at)), x, fits, grid)
    : topUp(widthsAt(x), along(Math.exp(x)), fits, grid);
  return { widths, taus: [Math.exp(x)], turns };
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
    if (widthsAt(low).every((width, l) => width === largest[l])) return low;
    throw new Error("The law never gets as large as this budget.");
  }
  for (let i = 0; i < HALVINGS; i++) {
    const middle = (low + high) / 2;
    if (fits(middle)) low = middle;
    else high = middle;
  }
  return low;
}

function group(number) {
  return Math.round(number).toLocaleString("en-US");
}

// A cost for people: whole ones in full, others with six digits.
function told(cost) {
  if (Number.isInteger(cost)) return group(cost);
  return cost.toLocaleString("en-US", { maximumSignificantDigits: 6 });
}

// How far taus are outside a recorded range: 1 inside, 3 at three times its end.
function extrapolation(range, taus) {
  if (!range) return 1;
  const [low, high] = range;
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
    const events = `${fall.events} events from ${from} to ${to} parameters`;
    return ` (p from ${low} to ${high}), by ${events}`;
  };
  const assumed = source === "assumed" ? ", assumed: no scores say it" : "";
  return [
    `One more filter is worth tau^${digits(0 - asked)}${fall ? recorded() : assumed}` +
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
    gap > USELESS
      ? "No bound says how far the value is from the best of widths within the budgets."
      : `At most ${(100 * Math.max(gap, 0)).toFixed(3)} % more loss of value than any ` +
        "widths within the budgets.",
  ];
}

function startPage(data) {
  const costs = Object.fromEntries(
    Object.entries(data.costs).map(([name, cost]) => [name, costOf(cost)])
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

  // The slider's span: from a hundredth of the default network's cost to ten times it, or
  // as far as the tables of a device reach.
  const span = (name) => {
    const { of, largest } = costs[name];
    const cost = of(data.default_widths);
    const most = largest ? Math.min(10 * cost, of(largest)) : 10 * cost;
    return [Math.log(cost / 100), Math.log(most)];
  };
  const rounded = (cost, name) => {
    const short = Number(cost.toPrecision(3));
    return costs[name].exact ? Math.round(short) : short;
  };
  const toSlider = () => {
    const [low, high] = span(budgetSelect.value);
    slider.value = (1000 * (Math.log(Number(target.value)) - low)) / (high - low);
  };
  const fromSlider = () => {
    const [low, high] = span(budgetSelect.value);
    const cost = Math.exp(low + ((high - low) * slider.value) / 1000);
    target.value = rounded(cost, budgetSelect.value);
  };

  // The budgets that are asked for: one, or two that both hold.
  const budgets = () => {
    const asked = [[budgetSelect.value, Number(target.value)]];
    const more = optional(secondTarget);
    if (more !== undefined) asked.push([second.value, more]);
    return asked.map(([name, target]) => {
      if (!(target > 0)) throw new Error("A budget is a positive number.");
      return { cost: costs[name], target };
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
    const sizeOf = costs.params.of;
    const p = optional(exponent);
    const { macs } = costs;
    const found = widthsFor(curve, asked, { ...options, exponent: p, sizeOf, macs });
    const units = asked.map(({ cost }) => cost.unit);
    // No tau has widths that grew in turns; their parameters count too.
    const taus = found.turns ? [...found.taus, sizeOf(found.widths)] : found.taus;
    return { ...found, taus, lines: found.pricing ? pricingLines(found.pricing, units) : [] };
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
    const range = found.range || curve.range;
    const far = extrapolation(range, found.taus);
    at("extrapolation").textContent = range ? `${far.toFixed(2)} times` : "no law";
    at("warning").textContent =
      far > data.far
        ? `The law was recorded between ${group(range[0])} and ` +
          `${group(range[1])} parameters; this far outside, laws are often off.`
        : "";
    for (const [name, { of, largest }] of Object.entries(costs)) {
      const beyond = largest && found.widths.some((width, l) => width > largest[l]);
      at(`cost_${name}`).textContent = beyond ? "beyond its tables" : told(of(found.widths));
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
        const { of, largest } = costs[budgetSelect.value];
        const inTables = (width, l) => (largest ? Math.min(width, largest[l]) : width);
        target.value = of(data.default_widths.map(inTables));
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
