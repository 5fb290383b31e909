"""Runs a `.keras` file with Keras."""


def load(path):
    """A function of images uint8 `[n, h, w, c]`: probabilities `[n, classes]`.

    Args:
        path: The file.
    """
    import keras

    model = keras.saving.load_model(path, compile=False)
    return model.predict_on_batch
