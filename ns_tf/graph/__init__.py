"""The channel graph of a Keras model, and what follows from it.

`walk.channel_graph(model)` reads the graph. `rules` holds what each layer type does to
channels; `channels` holds the result as arrays. `gates` says where channels can be
switched off, `within` holds layers that have them inside, `thin` removes channels in
place, `inherit` fills a network built at smaller widths. `weights` addresses weights by
layer and name.
"""
