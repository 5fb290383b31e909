"""Networks of several widths in one set of weights: slimmable networks.

Training adds up the losses of some members at every step; each is a slice of one
network's variables. What comes out at a width is an ordinary model.
"""
