"use strict";
// The widths of most value at a price, as ns_tf.scaling.worth, prices, program and priced
// find them: the same start, the same Newton steps, the same order of filters that are
// added.
// A network of widths w is worth
//
//   U(w) = const - sum_l c_l w_l^(-q_l),   q_l = p / beta_l - 1,
//   c_l = alpha_l^(p / beta_l) / q_l.
//
// U is the most under the budgets C_k(w) <= B_k where, with x = ln w,
//
//   v_l w_l = sum_k lambda_k dC_k / dx_l,   lambda_k = 0 for a budget that does not bind.

const FLOOR = 1.1; // The exponent is at least this times the largest beta.
const STEADY = 0.05; // A smaller beta counts as this share of the largest one.
const ENDLESS = 1e6; // An exponent at which widths are those along the law.
const MIN_EVENTS = 6; // With fewer, a slope says nothing.
const LARGEST = 700; // ln of a number that is finite in every program.
const WIDEST = 40; // ln w of a layer alone.
const RESIDUAL = 1e-12; // Of the conditions, in logarithms.
const OVER = 1e-9; // What a budget may be over, in ln of the cost, to count as met.
const NEWTON_STEPS = 60, LONGEST_STEP = 2, LARGEST_MULTIPLIER = 600; // In logarithms.
const FEW = 4; // Budgets of which all choices are tried.
const AIMS = 8, SAME_AIM = 1e-3; // How often a goal is translated, and when it stays.
const ALIKE = 0.1; // Optima whose ln of the loss differs by less are one.
const TINY = 1e-300;

// The smallest widths are over a budget.
class Unmet extends Error {}

// The whole widths of most value that meet every budget, the tau of each layer that the
// law decides on, as it grows by it and is at no end of the grid, and how good they are. A
// budget has a cost (costs.js) and a target; a grid the step, and by layer the lowest and
// the highest of whole widths. A law may have a `limit`: the law along which the widths of
// exponents without end are. `asked` is the exponent, undefined for that of the record near
// the size of the plan, or the law's own. `sizeOf` gives the parameters of whole widths.
// Throws an Error with a sentence where there are none.
function atPrice(law, budgets, grid, asked, sizeOf) {
  if (asked !== undefined) {
    if (!(asked > 0)) throw new Error("A price exponent is a positive number.");
    return withExponent(law, budgets, grid, { exponent: asked, source: "given" });
  }
  const found = withExponent(law, budgets, grid, law);
  const fall = law.worth && fallNear(law.worth, law.sizes, sizeOf(found.widths));
  if (!fall) return found;
  const source = "recorded", { exponent } = fall;
  return withExponent(law, budgets, grid, { exponent, source, fall });
}

// The same at an exponent; source and fall say where it comes from.
function withExponent(law, budgets, grid, { exponent, source, fall }) {
  if (exponent >= ENDLESS) {
    const { alpha, beta, range } = law.limit || law;
    const along = { kind: "law", alpha, beta, scale: range ? range[1] : 1 };
    return { ...atCost(along, budgets, grid), range };
  }
  const value = valueOf(law, exponent);
  const { found, widths } = startsOf(value, budgets, grid)
    .map(({ found, start }) => ({ found, widths: filled(start, value, budgets, grid, found) }))
    .reduce((best, one) =>
      logLoss(value, one.widths) < logLoss(value, best.widths) ? one : best
    );
  const least = logLeast(value, budgets, grid, found);
  const gap = Math.expm1(Math.min(logLoss(value, widths) - least, LARGEST));
  const { alpha, beta } = value.law;
  const free = widths.map((w, l) => w > grid.low[l] && w < grid.high[l]);
  const taus = widths
    .map((w, l) => Math.exp(Math.log(w / alpha[l]) / beta[l]))
    .filter((_, l) => free[l] && free.filter(Boolean).length > 1 && beta[l] === law.beta[l]);
  const pricing = {
    asked: exponent, exponent: value.exponent, floored: value.floored,
    shares: sharesOf(found, budgets), gap, source, fall,
  };
  return { widths, taus, pricing };
}

// The slope of ln worth over ln size by least squares over the events within a factor of
// two of a size, the nearest where there are fewer; null where there is no slope.
function fallNear(worth, sizes, at) {
  if (sizes.length < MIN_EVENTS || Math.min(...sizes) === Math.max(...sizes)) return null;
  const distances = sizes.map((size) => Math.abs(Math.log(size / at)));
  const nearest = [...distances].sort((a, b) => a - b)[MIN_EVENTS - 1];
  const reach = Math.max(nearest, Math.log(2) * (1 + 1e-9));
  const near = [...sizes.keys()].filter((i) => distances[i] <= reach);
  const x = near.map((i) => Math.log(sizes[i])), y = near.map((i) => Math.log(worth[i]));
  const mean = (numbers) => sum(numbers) / numbers.length;
  const dx = x.map((one) => one - mean(x)), dy = y.map((one) => one - mean(y));
  const spread = sum(dx.map((one) => one * one));
  const slope = sum(dx.map((one, i) => one * dy[i])) / spread;
  const missed = sum(dx.map((one, i) => (dy[i] - slope * one) ** 2));
  const error = Math.sqrt(missed / (near.length - 2) / spread);
  const taken = near.map((i) => sizes[i]);
  const range = [Math.min(...taken), Math.max(...taken)];
  return { exponent: -slope, error, range, events: near.length };
}

// What widths are worth by a law where one more filter is worth tau^-exponent: ln c and q
// by layer, and the law with a positive beta in every layer.
function valueOf(law, exponent) {
  const { alpha, beta } = growing(law);
  const p = Math.max(exponent, FLOOR * Math.max(...beta));
  const q = beta.map((b) => p / b - 1);
  const logC = beta.map((b, l) => (p / b) * Math.log(alpha[l]) - Math.log(q[l]));
  return { logC, q, exponent: p, floored: p > exponent, law: { alpha, beta } };
}

// The law with betas of at least a share of the largest: a layer that did not grow passes
// through its width in the middle of the record.
function growing({ alpha, beta, range }) {
  const largest = Math.max(...beta);
  if (!(largest > 0)) {
    throw new Error("A plan at a price needs a law in which a width grows.");
  }
  const middle = range ? Math.sqrt(range[0] * range[1]) : 1;
  const grown = beta.map((b) => Math.max(b, STEADY * largest));
  const moved = alpha.map((a, l) => a * Math.pow(middle, beta[l] - grown[l]));
  return { alpha: moved, beta: grown };
}

// ln of sum_l c_l w_l^(-q_l): the value is minus the sum.
function logLoss({ logC, q }, widths) {
  return logOfSum(widths.map((w, l) => logC[l] - q[l] * Math.log(w)));
}

// ln of what a filter more is worth times the width, v_l w_l, at x = ln w.
function worthAt({ logC, q }, x) {
  return x.map((at, l) => logC[l] + Math.log(q[l]) - q[l] * at);
}

// ln of what `step` more filters in a layer of `width` add to the value.
function worthOfMore({ logC, q }, layer, width, step) {
  const x = Math.log(width);
  const shrunk = -q[layer] * (Math.log(width + step) - x);
  return logC[layer] - q[layer] * x + Math.log(-Math.expm1(shrunk));
}

// A cost over its budget as a function of x = ln w: sum_t exp(logs_t + x_left + x_right),
// where x ends with a 0. Projections count as if all of them existed.
function posynomial({ coefficient, left, right, third }, target) {
  const logs = coefficient.map((c) => Math.log(c) - Math.log(target));
  const termsAt = (x) => {
    const padded = [...x, 0];
    const more = (t) => (third[t] < 0 ? 0 : padded[third[t]]);
    return logs.map((a, t) => a + (padded[left[t]] + padded[right[t]] + more(t)));
  };
  return {
    // ln of the cost over its budget.
    log: (x) => logOfSum(termsAt(x)),
    // Gradient [layers] and Hessian [layers][layers] of the cost over its budget, in x.
    derivatives(x) {
      const terms = termsAt(x).map(Math.exp);
      const size = x.length + 1;
      const gradient = Array(size).fill(0);
      const hessian = Array.from(gradient, () => Array(size).fill(0));
      const factors = [left, right, third.map((m) => (m < 0 ? size - 1 : m))];
      for (const first of factors) {
        terms.forEach((term, t) => (gradient[first[t]] += term));
        for (const second of factors) {
          terms.forEach((term, t) => (hessian[first[t]][second[t]] += term));
        }
      }
      // The last row and column are the factor of one.
      return { gradient: gradient.slice(0, -1), hessian: hessian.slice(0, -1) };
    },
  };
}

// The real-valued widths of most value by the posynomials `near` the costs, or by their
// `floors`; what each posynomial takes of the value, lambda_k B_k over the sum of all; and
// ln of the loss: no whole widths have less. `aims` are the budgets' goals.
function optimum(value, budgets, grid, which, aims) {
  const prices = budgets.flatMap(({ cost }, k) =>
    cost[which].map((one) => posynomial(one, aims[k] * cost.perUnit))
  );
  const bounds = [grid.low.map(Math.log), grid.high.map(Math.log)];
  const solved = solveConditions(value, prices, bounds);
  if (!solved) return corner(value, prices, bounds);
  const { x, multipliers } = solved;
  const taken = prices.map((price, k) => multipliers[k] * Math.exp(price.log(x)));
  const all = Math.max(sum(taken), TINY);
  const widths = x.map(Math.exp);
  const shares = taken.map((one) => one / all);
  return { widths, shares, logLoss: logLoss(value, widths) };
}

// The optima as if all projections existed, or none where all are too dear: the smallest
// widths have none, because they are equal.
function foundOf(value, budgets, grid) {
  try {
    return foundBy("near", value, budgets, grid);
  } catch (error) {
    if (!(error instanceof Unmet)) throw error;
    return foundBy("floors", value, budgets, grid);
  }
}

// The optimum where posynomials are the goals, `first`, and where the costs themselves
// are, `best`: a goal is multiplied by what the two differ by at the optimum, until that
// stays the same. Where it goes up and down every turn halves the steps, and all optima
// are given if it does not end.
function foundBy(which, value, budgets, grid) {
  let aims = budgets.map(({ target }) => target);
  const tried = [optimum(value, budgets, grid, which, aims)];
  const steps = aims.map(() => 0), part = aims.map(() => 1);
  for (let i = 0; i < AIMS; i++) {
    const widths = nearestOn(grid, tried.at(-1).widths);
    budgets.forEach((budget, k) => {
      const step = Math.log(aimOf(budget, which, widths, grid.low) / aims[k]);
      if (step * steps[k] < 0) part[k] /= 2;
      steps[k] = step;
    });
    if (steps.every((step) => Math.abs(step) <= SAME_AIM)) {
      return [{ which, first: tried[0], best: tried.at(-1) }];
    }
    aims = aims.map((aim, k) => aim * Math.exp(part[k] * steps[k]));
    tried.push(optimum(value, budgets, grid, which, aims));
  }
  return tried.map((best) => ({ which, first: tried[0], best }));
}

// The goal of a budget's posynomials, by what they and the cost are at whole widths; not
// less than the smallest network has.
function aimOf({ cost, target }, which, widths, smallest) {
  if (cost.exact) return target;
  const largest = (at) =>
    Math.max(...cost[which].map((one) => costFunction(one)(at))) / cost.perUnit;
  const ratio = largest(widths) / cost.of(widths);
  return Math.max(target * ratio, largest(smallest));
}

// By budget what its posynomials take of the value together.
function sharesOf({ which, best }, budgets) {
  const left = best.shares.slice();
  return budgets.map(({ cost }) => sum(left.splice(0, cost[which].length)));
}

// Widths within the budgets, all of which count alike, and a bound on the loss, which
// gives every layer the largest width that it can have alone.
function corner(value, prices, bounds) {
  const widths = onTheCurve(value, prices, bounds).map(Math.exp);
  const alone = widths.map((_, l) => {
    const x = bounds[0].slice();
    let low = bounds[0][l], high = Math.min(bounds[1][l], WIDEST);
    for (let i = 0; i < 50; i++) {
      x[l] = (low + high) / 2;
      if (prices.some((price) => price.log(x) > OVER)) high = x[l];
      else low = x[l];
    }
    return Math.exp(high);
  });
  const shares = prices.map(() => 1 / prices.length);
  return { widths, shares, logLoss: logLoss(value, alone) };
}

// The optimum x and the multipliers of the budgets: first each budget is taken to bind
// alone, then pairs, until the others are met; many budgets, or one that does not depend on
// all widths, are followed from within (interior.js). Null where neither finds anything.
function solveConditions(value, prices, bounds) {
  const start = onTheCurve(value, prices, bounds);
  const none = prices.map(() => 0);
  if (start.every((at, l) => at >= bounds[1][l])) return { x: start, multipliers: none };
  // Multipliers of about 1: only their ratios count.
  const scale = median(worthAt(value, start));
  const scaled = { ...value, logC: value.logC.map((c) => c - scale) };
  const partial = prices.some(({ derivatives }) => derivatives(start).gradient.includes(0));
  if (prices.length > FEW || partial) return interior(scaled, prices, bounds, start);
  let nearest = null;
  for (const binding of subsets(prices.length)) {
    const found = newton(scaled, binding.map((k) => prices[k]), bounds, start);
    if (!found) continue;
    const over = Math.max(...prices.map((price) => price.log(found.x)));
    if (!nearest || over < nearest.over) {
      const multipliers = none.slice();
      binding.forEach((k, i) => (multipliers[k] = Math.exp(found.logs[i])));
      nearest = { over, x: found.x, multipliers };
    }
    if (over <= OVER) return nearest;
  }
  return nearest;
}

// x where a filter is worth the same in every layer, as far along that curve as the
// budgets allow: the paper's curve.
function onTheCurve({ logC, q }, prices, [low, high]) {
  const at = (worth) =>
    q.map((one, l) => {
      return clip((logC[l] + Math.log(one) - worth) / (one + 1), low[l], high[l]);
    });
  const over = (x) => prices.some((price) => price.log(x) > OVER);
  if (over(low)) {
    throw new Unmet("The smallest widths are over a budget. Ask for more.");
  }
  // ln of what a filter is worth: little for large networks, much for small ones.
  let large = -1, small = 1;
  while (over(at(small))) small *= 2;
  while (!over(at(large)) && at(large).some((x, l) => x < high[l]) && large > -1e9) large *= 2;
  for (let i = 0; i < 30; i++) {
    const middle = (large + small) / 2;
    if (over(at(middle))) large = middle;
    else small = middle;
  }
  return at(small);
}

// x and ln of the multipliers where these budgets bind; null if nowhere. A width at a
// bound is held there while its condition leads out of the bounds.
function newton(value, prices, [low, high], start) {
  let x = start;
  let logs = firstMultipliers(value, prices, x);
  for (let i = 0; i < NEWTON_STEPS; i++) {
    const system = conditions(value, prices, x, logs);
    const free = freeOf(system, x, [low, high]);
    if (miss(system, free) < RESIDUAL) return { x, logs };
    const step = newtonStep(system, free);
    if (!step) return null; // Nothing may move, or two budgets are one.
    // Multipliers may not run away either: a step of theirs can be 1e5 times longer.
    const longest = Math.max(...[...step.x, ...step.logs].map(Math.abs), TINY);
    const length = Math.min(1, LONGEST_STEP / longest);
    x = x.map((at, l) => clip(at + length * step.x[l], low[l], high[l]));
    logs = logs.map((log, k) => log + length * step.logs[k]);
    if (!logs.every((log) => Math.abs(log) < LARGEST_MULTIPLIER)) return null;
  }
  return null;
}

// The layers whose widths are held at no bound.
function freeOf({ f }, x, [low, high]) {
  const held = (at, l) => (at <= low[l] && f[l] <= 0) || (at >= high[l] && f[l] >= 0);
  return [...x.keys()].filter((l) => !held(x[l], l));
}

// ln of multipliers that suit the middle one of the layers.
function firstMultipliers(value, prices, x) {
  const worth = median(worthAt(value, x));
  const pulls = prices.map((price) => median(price.derivatives(x).gradient));
  return pulls.map((pull) => worth - Math.log(pull) - Math.log(prices.length));
}

// The conditions at x and ln of the multipliers, and their derivatives:
// f [layers], ln of what filters are worth over what they cost; over [budgets], ln of the
// costs over their budgets; inner [layers][layers], df/dx; outer [budgets][layers],
// -df/d ln lambda; slopes [budgets][layers], d over/dx.
function conditions(value, prices, x, logs) {
  const weights = logs.map(Math.exp);
  const derivatives = prices.map((price) => price.derivatives(x));
  const gradients = derivatives.map(({ gradient }) => gradient);
  const weighted = (of) => sum(weights.map((weight, k) => weight * of(k)));
  const pull = x.map((_, l) => Math.max(weighted((k) => gradients[k][l]), TINY));
  const over = prices.map((price) => price.log(x));
  return {
    f: worthAt(value, x).map((worth, l) => worth - Math.log(pull[l])),
    over,
    inner: x.map((_, l) =>
      x.map((_, m) => {
        const curve = weighted((k) => derivatives[k].hessian[l][m]);
        return (l === m ? -value.q[l] : 0) - curve / pull[l];
      })
    ),
    outer: gradients.map((g, k) => g.map((one, l) => (weights[k] * one) / pull[l])),
    slopes: gradients.map((g, k) => g.map((one) => one / Math.exp(over[k]))),
  };
}

// How far ln of the free widths and of the costs are from their conditions.
function miss({ f, over, inner }, free) {
  const widths = free.map((l) => f[l] / inner[l][l]);
  return Math.max(...[...widths, ...over].map(Math.abs));
}

// Newton's step of x and of ln of the multipliers; null where there is none.
function newtonStep({ f, over, inner, outer, slopes }, free) {
  const rows = [
    ...free.map((l) => [...free.map((m) => inner[l][m]), ...outer.map((o) => -o[l])]),
    ...slopes.map((slope) => [...free.map((l) => slope[l]), ...over.map(() => 0)]),
  ];
  const solved = linearSolve(rows, [...free.map((l) => -f[l]), ...over.map((o) => -o)]);
  if (!solved) return null;
  const x = f.map(() => 0);
  free.forEach((l, i) => (x[l] = solved[i]));
  return { x, logs: solved.slice(free.length) };
}

// The solution of matrix · solution = right by Gaussian elimination, the largest pivot of
// a column first; null if a pivot is zero. The arguments are overwritten.
function linearSolve(matrix, right) {
  const size = right.length;
  for (let column = 0; column < size; column++) {
    let pivot = column;
    for (let row = column + 1; row < size; row++) {
      if (Math.abs(matrix[row][column]) > Math.abs(matrix[pivot][column])) pivot = row;
    }
    if (matrix[pivot][column] === 0) return null;
    [matrix[column], matrix[pivot]] = [matrix[pivot], matrix[column]];
    [right[column], right[pivot]] = [right[pivot], right[column]];
    for (let row = column + 1; row < size; row++) {
      const factor = matrix[row][column] / matrix[column][column];
      for (let i = column; i < size; i++) matrix[row][i] -= factor * matrix[column][i];
      right[row] -= factor * right[column];
    }
  }
  for (let row = size - 1; row >= 0; row--) {
    for (let i = row + 1; i < size; i++) right[row] -= matrix[row][i] * right[i];
    right[row] /= matrix[row][row];
  }
  return right;
}

// Whether whole widths meet every budget.
function meets(budgets, widths) {
  return budgets.every(({ cost, target }) => cost.of(widths) <= target);
}

// Whole widths within the budgets that are to be filled up, each with its optimum: of those
// that are alike there the best alone.
function startsOf(value, budgets, grid) {
  const all = foundOf(value, budgets, grid).map((found) => {
    const start = roundedDown(budgets, grid, found);
    return { found, start, loss: logLoss(value, start) };
  });
  const least = Math.min(...all.map(({ loss }) => loss));
  const best = all.find(({ loss }) => loss === least);
  return [best, ...all.filter(({ loss }) => loss > least + ALIKE)];
}

// The optimum rounded down to the grid and within the budgets.
function roundedDown(budgets, { step, low, high }, found) {
  const down = (share) =>
    found.best.widths.map((width, l) => {
      // An optimum at a whole number must not lose a filter to rounding.
      const steps = Math.floor(((share * width) / step) * (1 + 1e-12));
      return clip(steps * step, low[l], high[l]);
    });
  // The optimum is over a budget by rounding where widths are held at the grid's low
  // end, or where the solver found the optimum of fewer budgets alone.
  let share = 1, widths = down(share);
  while (!meets(budgets, widths)) {
    share *= 0.98;
    widths = down(share);
  }
  return widths;
}

// Widths within the budgets, grown one step of the grid at a time while any fits: the layer
// whose step is worth most for its price, the first of equal ones. One whose step does not
// fit stays as it is until no other can grow.
function filled(start, value, budgets, grid, found) {
  const gainOf = gainFunction(value, budgets, grid, found);
  let widths = start, stays = new Set(), grew = false;
  for (;;) {
    const gains = gainOf(widths).map((gain, l) => (stays.has(l) ? -Infinity : gain));
    const most = gains.indexOf(Math.max(...gains));
    if (gains[most] > -Infinity) {
      const grown = widths.slice();
      grown[most] += grid.step;
      if (meets(budgets, grown)) [widths, grew] = [grown, true];
      else stays.add(most);
    } else if (stays.size && grew) {
      [stays, grew] = [new Set(), false];
    } else {
      return widths;
    }
  }
}

// Whole widths -> by layer ln of what a step is worth for its price, -Infinity for one that
// does not fit an exact budget.
function gainFunction(value, budgets, { step, high }, { which, best }) {
  const shares = best.shares.slice(), fixed = high.map(() => 0), moving = [];
  for (const { cost, target } of budgets) {
    for (const posynomial of cost.exact ? cost.near : cost[which]) {
      const share = shares.shift(), factor = share / (target * cost.perUnit);
      if (!share && !cost.exact) continue;
      const more = costsOfMore(posynomial, high);
      if (cost.exact || !isLinear(posynomial, high.length)) {
        moving.push({ cost, target, more, factor });
      } else {
        more.forEach((of, l) => (fixed[l] += factor * of(high.map(() => 1), step)));
      }
    }
  }
  return (widths) => {
    const room = moving.map(({ cost, target }) => cost.exact && target - cost.of(widths));
    return widths.map((width, l) => {
      if (width + step > high[l]) return -Infinity;
      const more = moving.map((one) => one.more[l](widths, step));
      if (moving.some(({ cost }, k) => cost.exact && more[k] > room[k])) return -Infinity;
      const price = moving.reduce((all, { factor }, k) => all + factor * more[k], fixed[l]);
      return worthOfMore(value, l, width, step) - Math.log(Math.max(price, TINY));
    });
  };
}

// Whether a step costs the same whatever the widths are, as in an instant of peak RAM.
function isLinear({ right, third, differ }, layers) {
  return right.every((r, t) => r === layers && third[t] < 0 && differ[t][0] < 0);
}

// By layer: what `step` more filters in it cost, by the terms that its width is in alone:
// ten times as fast as the whole cost, where thousands of filters are added.
function costsOfMore(polynomial, layers) {
  const { left, right, third, differ } = polynomial;
  return layers.map((_, l) => {
    const its = (t) => [left[t], right[t], third[t], ...differ[t]].includes(l);
    const cost = costFunction(onlyTerms(polynomial, its));
    return (widths, step) => {
      const grown = widths.slice();
      grown[l] += step;
      return cost(grown) - cost(widths);
    };
  });
}

// ln of a loss that no widths on the grid come below. Projections that exist where two
// widths differ are left out: they may all be gone. Of tables the floors count.
function logLeast(value, budgets, grid, { which, first }) {
  const bounds = budgets.every(({ cost }) => cost.floors === cost.near);
  if (bounds || which === "floors") return first.logLoss;
  const targets = budgets.map(({ target }) => target);
  return optimum(value, budgets, grid, "floors", targets).logLoss;
}

// All choices of some of 0 ... count - 1: those of one number, then of two, and so on.
function subsets(count) {
  const all = [...Array(count).keys()];
  const ofSize = (size, from) =>
    size === 0
      ? [[]]
      : all.slice(from).flatMap((k) => ofSize(size - 1, k + 1).map((rest) => [k, ...rest]));
  return all.flatMap((k) => ofSize(k + 1, 0));
}

function sum(numbers) {
  return numbers.reduce((total, number) => total + number, 0);
}

// ln of the sum of the numbers whose logarithms these are.
function logOfSum(logs) {
  const top = Math.max(...logs);
  return top + Math.log(sum(logs.map((log) => Math.exp(log - top))));
}

function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

function clip(number, low, high) {
  return Math.min(Math.max(number, low), high);
}
