"""Networks of Keras 3 and HGQ2 (``.keras``, Keras-3 ``.h5``) as exact integer functions.

The files on the way: :mod:`.container` checks a file, :mod:`.keras_worker` reads it in a process of its own through a
:class:`.layer_reader.LayerReader` for each layer, and :mod:`.keras_file` makes the design.
"""
