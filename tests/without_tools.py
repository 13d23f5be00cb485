"""``evaluate`` and ``prove`` with training, compilation and synthesis taken away: what is done twice fails."""

from codesign import candidate


def _no(*arguments, **more):
    raise AssertionError("done a second time")


def _without():
    from codesign import training
    from codesign.hardware import yosys
    from codesign.hardware.alkaid import Alkaid

    training.train = yosys.synthesise = Alkaid.compile = _no


def evaluate(*arguments):
    _without()
    return candidate.evaluate(*arguments)


def prove(*arguments):
    _without()
    return candidate.prove(*arguments)
