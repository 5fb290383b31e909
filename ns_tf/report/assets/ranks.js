"use strict";
// Widths on the way down from a network by the scores of its filters, as
// ns_tf.scaling.ranks has them.

const LEAST_SHARE = 0.25; // That every set keeps until all have come down to it.

// What one filter of each set takes of the budgets, up to a common factor.
function pricesOf(budgets, whole, widthsOf) {
  const found = whole.map((_, k) => {
    const less = whole.map((size, other) => size - (other === k ? 1 : 0));
    const [more, left] = [whole, less].map(widthsOf);
    return budgets.reduce((sum, { cost, target }) => {
      return sum + (cost.of(more) - cost.of(left)) / target;
    }, 0);
  });
  const most = Math.max(...found);
  if (!(most > 0)) return whole.map(() => 1);
  return found.map((price) => Math.max(price, 1e-12 * most));
}

// The budgets that price filters of a network. Multiply-adds stand for one whose tables do
// not reach it.
function pricing(budgets, widths, macs) {
  const within = ({ cost: { largest } }) =>
    !largest || widths.every((width, l) => width <= largest[l]);
  const known = budgets.filter(within);
  if (known.length === budgets.length) return known;
  const asked = known.filter(({ cost }) => cost === macs).map(({ target }) => target);
  const target = Math.min(macs.of(widths), ...asked);
  return [...known.filter(({ cost }) => cost !== macs), { cost: macs, target }];
}

// The curve tau -> widths of the filters that go first, and evenly up from the network.
// `sets` says which set each layer is of, `scores` has those of each set, highest first.
function rankedCurve({ sets, scores }, budgets, sizeOf, macs) {
  const whole = scores.map((own) => own.length);
  const widthsOf = (sizes) => sets.map((set) => sizes[set]);
  const known = pricing(budgets, widthsOf(whole), macs);
  const bySize = known.every(({ cost }) => cost.countsSize);
  const price = bySize ? whole.map(() => 1) : pricesOf(known, whole, widthsOf);
  const filters = scores.flatMap((own, set) =>
    own.map((score, place) => {
      const late = place < Math.ceil(LEAST_SHARE * whole[set]) ? 1 : 0;
      return { set, place, late, worth: score / price[set] };
    })
  );
  const going = filters
    .map((filter, number) => ({ ...filter, number }))
    .filter(({ place }) => place >= 1)
    .sort((a, b) => a.late - b.late || a.worth - b.worth || a.number - b.number);
  const left = [...whole];
  const rows = [widthsOf(left)];
  for (const { set } of going) {
    left[set] -= 1;
    rows.push(widthsOf(left));
  }
  const sizes = rows.map(sizeOf);
  sizes.forEach((size, k) => {
    if (k) sizes[k] = Math.min(size, sizes[k - 1]);
  });
  const at = (tau) => {
    if (tau > sizes[0]) return rows[0].map((width) => width * Math.sqrt(tau / sizes[0]));
    let [low, high] = [0, rows.length - 1]; // The first of at most tau, or the last.
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if (sizes[middle] <= tau) high = middle;
      else low = middle + 1;
    }
    return rows[low];
  };
  return { at, scale: sizes[0] };
}
