"use strict";
// The best widths where nobody knows which budgets bind, as ns_tf.scaling.interior finds
// them: the same conditions, followed from within the budgets, with
//
//   lambda_k ln(B_k / C_k) = mu
//
// for every budget k, from a large mu down to next to nothing.

const FIRST_MU = 1, LAST_MU = 1e-12, FASTER = 0.2, CLOSE = 0.1;
const INTERIOR_STEPS = 250, LONGEST_INTERIOR_STEP = 1, SLACK = 0.05, NEARER = 0.9;

// The optimum x = ln w and the multipliers of the budgets; null where nothing lies within
// the budgets, or no step leads on.
function interior(value, prices, [low, high], start) {
  let x = within(prices, start, low), mu = FIRST_MU;
  if (!x) return null;
  let logs = prices.map((price) => Math.log(mu) - Math.log(-price.log(x)));
  for (let i = 0; i < INTERIOR_STEPS; i++) {
    const system = conditions(value, prices, x, logs);
    const free = freeOf(system, x, [low, high]);
    let off = logs.map((log, k) => log + Math.log(-system.over[k]) - Math.log(mu));
    const miss = Math.max(0, ...[...free.map((l) => system.f[l]), ...off].map(Math.abs));
    if (miss < CLOSE) {
      if (mu <= LAST_MU) break;
      mu *= FASTER;
      off = off.map((one) => one - Math.log(FASTER));
    }
    const step = interiorStep(system, free, off);
    if (!step) return null;
    [x, logs] = moved(prices, [low, high], [x, logs], step);
  }
  // Of multiplier and slack, whose product is mu, the smaller one stands for 0.
  const multipliers = prices.map((price, k) => {
    const multiplier = Math.exp(logs[k]);
    return multiplier > -price.log(x) ? multiplier : 0;
  });
  return { x, multipliers };
}

// A point between x and the least widths that leaves something of every budget.
function within(prices, x, low) {
  const floor = low.map((at) => Math.max(at, 0));
  const shares = [...Array(19).keys()].map((i) => 0.95 + (i * (0.05 - 0.95)) / 18);
  for (const share of [...shares, 0.01, 0]) {
    const near = floor.map((at, l) => at + share * (x[l] - at));
    const most = Math.max(...prices.map((price) => price.log(near)));
    if (most <= -SLACK || (most < 0 && share <= 0.01)) return near;
  }
  return null;
}

// Newton's step of x and of ln of the multipliers; null where nothing may move.
function interiorStep({ f, over, inner, outer, slopes }, free, off) {
  const pull = slopes.map((slope, k) => slope.map((one) => one / over[k]));
  const total = (of) => sum(over.map((_, k) => of(k)));
  const row = (l) => free.map((m) => inner[l][m] + total((k) => outer[k][l] * pull[k][m]));
  const right = free.map((l) => -f[l] - total((k) => outer[k][l] * off[k]));
  const solved = linearSolve(free.map(row), right);
  if (!solved) return null;
  const x = f.map(() => 0);
  free.forEach((l, i) => (x[l] = solved[i]));
  const logs = off.map((one, k) => -one - sum(pull[k].map((p, l) => p * x[l])));
  return { x, logs };
}

// The point after a step, shortened so that something of every budget is left.
function moved(prices, [low, high], [x, logs], step) {
  const left = prices.map((price) => price.log(x));
  const longest = Math.max(...step.x.map(Math.abs), TINY);
  let length = Math.min(1, LONGEST_INTERIOR_STEP / longest);
  while (length > 1e-12) {
    const near = x.map((at, l) => clip(at + length * step.x[l], low[l], high[l]));
    if (prices.every((price, k) => price.log(near) <= (1 - NEARER) * left[k])) {
      return [near, logs.map((log, k) => log + length * step.logs[k])];
    }
    length /= 2;
  }
  return [x, logs];
}
