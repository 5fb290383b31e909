"""From traces to laws, from laws and budgets to whole widths.

`law` fits a power law to what pruning recorded, `curves` makes a curve tau -> widths of
a law or of given widths, and `solve.at_cost` finds the whole widths on a curve that
meet budgets. `grid` says which whole widths are allowed; `estimated` solves budgets
whose cost has to be measured but is nearly known.
"""
