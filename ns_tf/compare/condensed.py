"""Networks of a comparison whose kernels are made of epitomes."""

from ns_tf.compare.cells import Cell
from ns_tf.condense.epitomes import condensed
from ns_tf.graph.flat import flat
from ns_tf.networks.from_model import from_model
from ns_tf.problem.problem import Problem


def condensed_problem(problem: Problem, cell: Cell) -> Problem:
    """The network of a cell with epitomes, with data and task.

    Args:
        problem: Of the architecture of the cell.
        cell: Says the widths, and which layers have which epitomes.

    Returns:
        The problem of that network as it is. It has widths of its own only where
        channels of its epitomes are free.
    """
    whole = flat(problem.build(cell.widths), blocks=True)
    small = condensed(whole, cell.epitomes)
    own = from_model(small, cell.network, fixed=True)
    return Problem.of(own, problem.dataset, problem.task)
