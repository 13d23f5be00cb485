"""The command line: each command parses, calls one function, and prints.

Nothing heavy is imported before a command needs it: ``codesign --help`` answers at once.
"""

from __future__ import annotations

import sys
import warnings
from copy import copy
from typing import Annotated

import typer
from typer.models import CommandInfo

from codesign import __version__
from codesign.cli import about, handoff, hardware, importing, operation, search
from codesign.cli import data as data_
from codesign.cli.door import CLOSED, Door, drop_output, steady_streams
from codesign.core.errors import CodesignError, system_errors
from codesign.core.interrupt import tell_when_interrupted
from codesign.core.printing import print_error

__all__ = ("app", "listed", "main")

#: what is asked with where all commands are listed
_LISTS: tuple[list[str], ...] = ([], ["--help"], ["-h"])

app = typer.Typer(
    name="codesign",
    cls=Door,
    help="From a physics data set to verified, Pareto-optimal FPGA firmware.",
    epilog="Ends with 0: done; 1: an error, one line on standard error; 2: wrong usage; "
    "3: a search without a proven front; 130: interrupted; 141: nobody reads the output any more.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
data = typer.Typer(help="Make and look at samples of events.", no_args_is_help=True)
app.add_typer(data, name="data")


def main() -> None:
    """Entry point: an error that is the user's to mend is one line, and no stack trace.

    So is output that cannot be written; output that nobody reads on ends quietly.
    """
    warnings.filterwarnings("ignore", "fast_hadamard_transform package not found")  # Brevitas says so
    output, code = steady_streams(), 0
    try:
        with system_errors():
            try:
                (listed(app) if sys.argv[1:] in _LISTS else app)()
            except SystemExit as end:
                code = end.code if isinstance(end.code, int) else int(end.code is not None)
            if sys.stdout is not None:
                sys.stdout.flush()
    except BrokenPipeError:
        pass
    except CodesignError as error:
        print_error(error)
        code = 1
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:  # it was told above
        drop_output()
    sys.exit(CLOSED if output is not None and output.gone else code)


def listed(whole: typer.Typer) -> typer.Typer:
    """The same commands without their options, which a list does not show: to make these takes as long as the list."""

    def of_words(info: CommandInfo) -> CommandInfo:
        def command() -> None: ...

        for name in ("__name__", "__doc__"):
            setattr(command, name, getattr(info.callback, name, ""))
        found = copy(info)
        found.callback = command
        return found

    found = copy(whole)
    found.registered_commands = [of_words(info) for info in whole.registered_commands]
    found.registered_groups = []
    for group in whole.registered_groups:
        shown = copy(group)
        shown.typer_instance = listed(group.typer_instance) if group.typer_instance is not None else None
        found.registered_groups.append(shown)
    return found


def _version(wanted: bool) -> None:
    if wanted:
        print(f"codesign {__version__}")
        raise typer.Exit


@app.callback()
def _global(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = (
        False
    ),
) -> None:
    pass


for command in (
    *(search.run, search.report, search.front, search.compare, search.dashboard, search.init, search.new),
    *(hardware.verify, hardware.synth, hardware.flows, hardware.bitstream),
    *(handoff.handoff, handoff.check, handoff.apply, operation.stream),
    *(about.targets, about.studies, about.examples, about.doctor, about.schema),
):
    app.command()(tell_when_interrupted(command))
app.command("import")(tell_when_interrupted(importing.import_))
for of_data in (data_.make, data_.zero_bias, data_.show, data_.response, data_.correct):
    data.command()(tell_when_interrupted(of_data))
