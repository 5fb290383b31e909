"""What may change in a network, what may not and why: read off it, without data.

`reading` reads a model, `shares` says which width takes how much of it, `advice` what
would free a layer, `explanation` puts it into words and numbers, `picture` draws it.
"""
