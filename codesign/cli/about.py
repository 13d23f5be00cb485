"""Commands that say what there is: targets, studies, tools, records."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from codesign.cli.arguments import Json
from codesign.core.errors import CodesignError, InputError
from codesign.core.printing import print_facts, print_json, print_rows

__all__ = ("doctor", "examples", "schema", "studies", "targets")


def targets(as_json: Json = False) -> None:
    """List the FPGA targets that are shipped, and what the tools that are here reach for each.

    free_interval: clocks from one bunch crossing to the next, by the declared clock. placed: the clock that nextpnr
    found for one network (a deep set of 32 items), folded and unrolled.

    Example: codesign targets
    """
    from codesign.core.resources import available
    from codesign.core.targets import load_target
    from codesign.tools.placed_examples import placed_examples
    from codesign.tools.reach import reach

    found = [load_target(name) for name in available("targets")]
    rows = []
    for target in found:
        examples = placed_examples(target.name)
        placed = [e.model_dump(mode="json") for e in examples] if as_json else [str(e) for e in examples]
        row = {**target.model_dump(mode="json"), "free_interval": target.free_interval}
        rows.append(row | {"placed": placed, "reached": reach(target)})
    print_rows(rows, as_json, ("name", "part", "clock_mhz", "free_interval", "placed", "description", "reached"))


def studies(
    files: Annotated[
        list[str] | None, typer.Argument(metavar="[FILE]...", help="Studies of yours; by default the shipped ones.")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Also see that all that each names is here and fits together.")
    ] = False,
    written: Annotated[bool, typer.Option("--print", help="Print the file of each, to begin yours with.")] = False,
    as_json: Json = False,
) -> None:
    """List the studies that are shipped, or those given; exit code 1 where one does not pass the check.

    A check says what is wrong in one line, with file, line and key, before anything runs.

    With --print: what each file says. Example: codesign studies --check mine.yaml
    """
    from codesign.core.resources import available, locate
    from codesign.study.definition import in_its_file, load_study

    if written:
        if not files or check or as_json:
            raise InputError("--print prints the studies that are named, alone: codesign studies jet-tagger --print")
        for name in files:
            load_study(name)  # what is printed is one
            typer.echo(locate("search", name).read_text(encoding="utf-8"), nl=False)
        return
    names = files or available("search")
    found = [load_study(name) for name in names]
    rows = [study.model_dump(mode="json") | {"family": ", ".join(study.named)} for study in found]
    if check:
        from codesign.search.resolve import resolve

        for row, study, name in zip(rows, found, names, strict=True):
            try:
                with in_its_file(name):
                    resolve(study)
                row["check"] = "passed"
            except CodesignError as error:
                row["check"] = str(error)
    print_rows(rows, as_json, ("name", "task", "family", "target", "check" if check else "description"))
    if any(row.get("check", "passed") != "passed" for row in rows):
        raise typer.Exit(1)


def examples(
    folder: Annotated[
        str, typer.Argument(metavar="FOLDER", help="Where they are; by default those of the checkout.")
    ] = "examples",
    as_json: Json = False,
) -> None:
    """List the worked examples of a checkout: small packages with a study each, for 'codesign run examples/NAME'.

    Example: codesign examples
    """
    from codesign.core import local_packages

    found = local_packages.examples(Path(folder))
    if not found:
        raise InputError(f"{folder} has no examples: they come with a checkout; name its folder 'examples'")
    rows = [
        {"name": package.folder.name, "description": said, "run": f"codesign run {package.folder}"}
        for package, said in found
    ]
    print_rows(rows, as_json, ("name", "description"))


def doctor(
    install: Annotated[
        str | None,
        typer.Option(metavar="TOOL", help="Set up a tool with an environment of its own: finn, keras or qkeras."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Say which tools are here, what each enables, and how to get the missing ones.

    Example: codesign doctor --install finn
    """
    from codesign.pipeline.doctor import diagnose
    from codesign.pipeline.doctor import install as set_up

    if install is not None:
        place = set_up(install)
        print_json({"installed": place}) if as_json else typer.echo(f"{install} is set up in {place}")
        return
    print_facts(diagnose(), as_json)


def schema(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A record, such as front.json, study or target.")],
    as_json: Json = False,
) -> None:
    """Print the JSON Schema of a record, a study or a target, with which an editor helps: JSON with and without --json.

    Example: codesign schema study
    """
    from codesign.cli.schemas import schema as schema_of

    print_json(schema_of(name))
