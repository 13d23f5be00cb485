"""Networks of Keras 3 and HGQ2 (``.keras``, Keras-3 ``.h5``) as exact integer functions."""
