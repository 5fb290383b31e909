"use strict";
// What networks cost, as ns_tf.networks.costs and ns_tf.devices.cost count it: polynomials,
// and the tables of a device. The arena of an interpreter is in arena.js.
//
// A cost has `of`, whole widths -> the cost; `near` and `floors`, the posynomials near it
// and never above it, which count `perUnit` that make one of it; whether it is `exact`, its
// own posynomial; whether it is the largest of several sums, under which layers grow
// `inTurns`; `largest`, the widths that its tables reach, if it has any; and whether it
// `countsSize`, so that a ranking serves it by scores alone.

// The cost that the page's data, or a test, describes.
function costOf(data) {
  return { ...counted(data), countsSize: Boolean(data.countsSize) };
}

function counted(data) {
  const { unit, perUnit = 1, largest } = data;
  if (!data.near) {
    const polynomial = plain(data);
    const near = [polynomial];
    const always = polynomial.differ.every(([first]) => first < 0);
    const floors = always ? near : [bare(polynomial)];
    return { unit, of: costFunction(polynomial), near, floors, perUnit, exact: true };
  }
  const near = data.near.map(plain);
  const floors = data.floors ? data.floors.map(plain) : near;
  const inTurns = Boolean(data.steps);
  const of = inTurns ? arenaFunction(data) : tableFunction(data);
  return { unit, of, near, floors, perUnit, exact: false, inTurns, largest };
}

// A polynomial with a third factor in every term.
function plain(polynomial) {
  return { third: polynomial.left.map(() => -1), ...polynomial };
}

// A polynomial as a function of whole widths.
function costFunction({ coefficient, left, right, third, differ }) {
  return (widths) => {
    const x = [...widths, 1];
    let total = 0;
    for (let i = 0; i < coefficient.length; i++) {
      const [a, b] = differ[i];
      if (a >= 0 && x[a] === x[b]) continue;
      const more = third[i] < 0 ? 1 : x[third[i]];
      total += coefficient[i] * x[left[i]] * x[right[i]] * more;
    }
    return total;
  };
}

// The milliseconds of a device's tables as a function of whole widths.
function tableFunction({ tables, uses, offset }) {
  const channels = (form, widths) => {
    return form.reduce((sum, [w, times]) => sum + times * (w < 0 ? 1 : widths[w]), 0);
  };
  return (widths) => {
    let total = 0;
    tables.forEach((table, place) => {
      let its = 0;
      for (const use of uses) {
        const [a, b] = use.differ;
        if (use.table !== place || (a >= 0 && widths[a] === widths[b])) continue;
        its += between(table, channels(use.reads, widths), channels(use.makes, widths));
      }
      total += its;
    });
    return offset + total;
  };
}

// The time in a table at channels read and made; beyond the ends as in the last cell.
function between({ reads, makes, ms }, read, made) {
  const [i, a] = cellOf(reads, read);
  const [j, b] = cellOf(makes, made);
  const up = Math.min(1, reads.length - 1), right = Math.min(1, makes.length - 1);
  const low = (1 - b) * ms[i][j] + b * ms[i][j + right];
  const high = (1 - b) * ms[i + up][j] + b * ms[i + up][j + right];
  return (1 - a) * low + a * high;
}

// The cell of an axis that a position is in, and how far within, from 0 to 1.
function cellOf(axis, at) {
  if (axis.length === 1) return [0, 0];
  let place = 0;
  while (place < axis.length - 2 && axis[place + 1] <= at) place++;
  return [place, (at - axis[place]) / (axis[place + 1] - axis[place])];
}

// The polynomial of the terms t that are kept.
function onlyTerms(polynomial, kept) {
  const columns = ["coefficient", "left", "right", "third", "differ"];
  const of = (column) => polynomial[column].filter((_, t) => kept(t));
  return Object.fromEntries(columns.map((column) => [column, of(column)]));
}

// The polynomial without projections that exist where two widths differ.
function bare(polynomial) {
  return onlyTerms(polynomial, (t) => polynomial.differ[t][0] < 0);
}
