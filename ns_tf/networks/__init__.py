"""Networks as functions of their widths.

`architectures` holds the builders, `from_model` makes one of any Keras model.
`structure.analyse` finds out what a builder's widths are and what they cost
(`costs.CostPolynomial`).
"""
