"""Files from elsewhere, read as data: links are not followed, and sizes, depths and numbers are bounded.

A store, a run folder, a bundle, a study or a model file may come from a stranger. Whatever opens one goes through this
package, where every reader refuses with an :class:`~codesign.core.errors.InputError` of one line that names the file:
``plain`` (bytes of a plain file), ``json``, ``yaml``, ``npz``, ``zip``, ``gz``, ``tensors`` (safetensors), ``onnx``,
``hdf5``, ``rootfile``, ``parquet``. The bounds stand together in ``limits``.
"""
