"""Networks of QKeras on Keras 2: read layer by layer into QONNX, which the importer of ONNX takes from there.

The ways of :mod:`codesign.importing.keras` serve here too: its check of a file, its process, its graph and its readers
of plain layers.
"""
