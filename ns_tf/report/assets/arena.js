"use strict";
// Bytes of RAM that an interpreter for microcontrollers needs for the activations of a
// network, as ns_tf.networks.schedule and ns_tf.networks.arena find them: the operations of
// its file at given widths, from which to which of them each buffer is alive, and where
// each has its place.

const ALIGNMENT = 16; // Bytes that buffers begin at multiples of.
// By kind of an operation: the kinds that take it, where it alone reads what they make.
const FOLDS = { norm: ["conv"], relu: ["conv", "sum", "norm"] };

// The bytes of the arena as a function of whole widths.
function arenaFunction({ buffers, steps, output }) {
  const keys = ["name", "kind", "reads", "makes", "scratch", "differ", "instead"];
  const named = steps.map((step) =>
    Object.fromEntries(keys.map((key, place) => [key, step[place]]))
  );
  const known = new Map(); // By the pairs of equal widths: the buffers of the file.
  const livesAt = (missing) => {
    const key = missing.join(" ");
    if (!known.has(key)) {
      const left = existing(named, new Set(missing.map(String)));
      const lives = livesOf(ordered(folded(left, output)), output);
      known.set(key, { lives, beside: besideOf(lives) });
    }
    return known.get(key);
  };
  const pairs = named.map(({ differ }) => differ).filter(([first]) => first >= 0);
  return (widths) => {
    const x = [...widths, 1];
    const { lives, beside } = livesAt(pairs.filter(([a, b]) => x[a] === x[b]));
    const sizes = lives.map(({ place }) => {
      const [bytes, terms] = buffers[place];
      const size = bytes * sum(terms.map(([entries, width]) => entries * x[width]));
      return Math.ceil(size / ALIGNMENT) * ALIGNMENT;
    });
    return arena(sizes, beside);
  };
}

// By buffer the places of those that are alive at the same time.
function besideOf(lives) {
  const places = [...lives.keys()];
  return lives.map(({ first, last }) =>
    places.filter((i) => lives[i].first <= last && first <= lives[i].last)
  );
}

// Bytes that buffers take: larger ones come first, of equal ones the later, and each has
// the lowest gap that it fits among the buffers that are alive with it.
function arena(sizes, beside) {
  const order = [...sizes.keys()].sort((i, j) => sizes[j] - sizes[i] || j - i);
  const placed = []; // By buffer: where it begins and ends.
  let most = 0;
  for (const i of order) {
    const others = beside[i].filter((j) => placed[j]).map((j) => placed[j]);
    others.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
    let begin = 0;
    for (const [from, to] of others) {
      if (from - begin >= sizes[i]) break;
      begin = Math.max(begin, to);
    }
    placed[i] = [begin, begin + sizes[i]];
    most = Math.max(most, begin + sizes[i]);
  }
  return most;
}

// The operations that exist, reading what they read then. `missing` has the pairs of
// widths, as text, that are equal though they must differ.
function existing(steps, missing) {
  const gone = steps.filter(({ differ }) => missing.has(String(differ)));
  const replaced = gone.filter(({ instead }) => instead >= 0);
  const other = new Map(replaced.map(({ makes, instead }) => [makes, instead]));
  const of = (place) => (other.has(place) ? of(other.get(place)) : place);
  const left = steps.filter(({ differ }) => !missing.has(String(differ)));
  return left.map((step) => ({ ...step, reads: step.reads.map(of) }));
}

// The operations, those left out that become part of others.
function folded(steps, output) {
  const makers = new Map(steps.map((step) => [step.makes, step]));
  const readers = new Map([[output, 1]]);
  for (const place of steps.flatMap(({ reads }) => reads)) {
    readers.set(place, (readers.get(place) || 0) + 1);
  }
  const closed = new Set(); // Buffers behind a ReLU, which end a fold.
  for (const step of steps) {
    const before = makers.get(step.reads[0]);
    if (!before || readers.get(step.reads[0]) !== 1 || closed.has(before.makes)) continue;
    if (step.kind === "conv" && before.kind === "pad") {
      makers.delete(before.makes);
      makers.set(step.makes, { ...step, reads: before.reads });
    } else if ((FOLDS[step.kind] || []).includes(before.kind)) {
      makers.delete(before.makes);
      makers.set(step.makes, { ...before, makes: step.makes });
      if (step.kind === "relu") closed.add(step.makes);
    }
  }
  return [...makers.values()];
}

// The operations in the order in which they run: chains to their end, those of the lower
// name first.
function ordered(steps) {
  const readers = new Map();
  const byName = [...steps].sort((a, b) => (a.name < b.name ? -1 : Number(a.name > b.name)));
  for (const step of byName) {
    for (const place of new Set(step.reads)) {
      readers.set(place, [...(readers.get(place) || []), step]);
    }
  }
  const order = [], visited = new Set();
  const begun = (place) => (readers.get(place) || []).map((step) => [step, false]);
  const stack = begun(0);
  while (stack.length) {
    const [step, leaves] = stack.pop();
    if (leaves) {
      order.push(step);
    } else if (!visited.has(step.makes)) {
      visited.add(step.makes);
      stack.push([step, true], ...begun(step.makes));
    }
  }
  return order.reverse();
}

// From which to which operation every buffer is alive; scratch buffers behind all others.
// A norm is two operations: its buffer is made twice.
function livesOf(order, output) {
  const image = { place: 0, first: 0, last: 0 };
  const lives = [image], at = new Map([[0, image]]), scratch = [];
  let count = 0;
  for (const { kind, reads, makes, scratch: places } of order) {
    for (const read of kind === "norm" ? [reads, [makes]] : [reads]) {
      count++;
      for (const place of read) at.get(place).last = count;
      const made = { place: makes, first: count, last: count };
      at.set(makes, made);
      lives.push(made);
    }
    scratch.push(...places.map((place) => ({ place, first: count, last: count })));
  }
  at.get(output).last = count;
  return [...lives, ...scratch];
}
