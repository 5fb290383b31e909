"""The channel graph of a Keras model, and what follows from it."""
