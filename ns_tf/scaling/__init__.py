"""From traces to laws, from laws and budgets to whole widths."""
