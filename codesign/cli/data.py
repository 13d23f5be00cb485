"""Commands of ``codesign data``: make and look at samples of events."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from codesign.cli.arguments import Json, in_standing_folder
from codesign.core.printing import print_facts, print_made, print_rows

__all__ = ("correct", "make", "response", "show", "zero_bias")


def make(
    card: Annotated[str, typer.Argument(metavar="CARD", help="A generator card's file or name.")],
    events: Annotated[int, typer.Option(min=1, help="Events to make, all classes together.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            callback=in_standing_folder,
            help="A .parquet or .root file to write; without it CARD-EVENTS.parquet.",
        ),
    ] = None,
    pile_up: Annotated[
        float | None, typer.Option(min=0, help="Mean number of collisions of a trigger event; the card's by default.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Generate a card's jets or trigger events, and write them to a file.

    Example: codesign data make jets-13tev --events 10000 -o jets.parquet
    """
    from codesign.data.files import make_data
    from codesign.search.progress import Shown, make_progress

    with make_progress() as progress:
        made = make_data(
            card, events, output, lambda done, total: progress.show(Shown(f"{done} of {total} events")), pile_up
        )
    print_made(made, as_json)


def zero_bias(
    events: Annotated[int, typer.Option(min=1, help="Zero-bias events, as chance gives them.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FOLDER", callback=in_standing_folder, help="The folder to write.")
    ],
    harder: Annotated[
        int, typer.Option(min=0, help="More events of which each has one hard collision more, with weights.")
    ] = 0,
    card: Annotated[str, typer.Option(metavar="CARD", help="A card of zero bias.")] = "zero-bias-rate",
    seed: Annotated[int | None, typer.Option(min=0, help="Instead of the card's.")] = None,
    pile_up: Annotated[
        float | None, typer.Option(min=0, help="Mean number of collisions; the card's by default.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Simulate what the Level-1 trigger sees of many zero-bias events, and nothing else: for rates of a kilohertz.

    Example: codesign data zero-bias --events 257000 -o zero_bias
    """
    from codesign.physics.detector.rate_sample import make_rate_sample
    from codesign.search.progress import Shown, make_progress

    with make_progress() as progress:
        made = make_rate_sample(
            output, events, harder, card, seed, pile_up,
            lambda done, total: progress.show(Shown(f"{done} of {total} events")),
        )  # fmt: skip
    print_facts({"folder": str(output), **made.model_dump(mode="json", exclude={"provenance"})}, as_json)


def show(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file of events.")], as_json: Json = False
) -> None:
    """Say what a file of jets or events holds: classes, features, units and origin; or collections, counts and ranges.

    Example: codesign data show jets.parquet
    """
    from codesign.data.files import describe

    print_facts(describe(file), as_json)


def response(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An event file with generated jets.")],
    corrections: Annotated[Path | None, typer.Option(metavar="FILE", help="A correctionlib file (.json.gz).")] = None,
    correction: Annotated[str, typer.Option(metavar="NAME", help="Name of a correction in that file.")] = "",
    run: Annotated[
        Path | None, typer.Option(metavar="RUN", help="Run of jet-energy-offline, whose network is applied.")
    ] = None,
    trial: Annotated[int, typer.Option(metavar="TRIAL", min=0, help="Trial of that run.")] = 0,
    pictures: Annotated[
        Path | None,
        typer.Option("-o", metavar="FOLDER", callback=in_standing_folder, help="Draw the plots there (SVG)."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Measure the response of jets, tier by tier; apply a correction or a trained network to the offline jets.

    Example: codesign data response nano.root --run runs/offline-jet-energy --trial 7 -o plots
    """
    from codesign.cli.jets import jet_response

    chosen = None if corrections is None else (corrections, correction)
    rows = jet_response(file, chosen, None if run is None else (run, trial), pictures)
    print_rows(rows, as_json, ("tier", "jets", "response", "resolution"))


def correct(
    files: Annotated[list[Path], typer.Argument(metavar="FILES...", help="Event files with generated jets.")],
    output: Annotated[
        Path,
        typer.Option("-o", "--output", metavar="FILE", callback=in_standing_folder, help="A .json file to write."),
    ],
    tag: Annotated[str, typer.Option(metavar="TAG", help="What the corrections' names begin with.")] = "codesign",
    jets: Annotated[str, typer.Option(metavar="NAME", help="Whose energy: Jet (offline) or HLTJet.")] = "Jet",
    as_json: Json = False,
) -> None:
    """Fit the factorised jet energy correction (L1 offset, L2 relative, L3 absolute), and write it for correctionlib.

    Example: codesign data correct nano_1.root nano_2.root -o corrections.json --tag Mine2026_V1
    """
    from codesign.tasks.jets.corrections import fit_corrections

    print_facts(fit_corrections(files, output, tag, jets), as_json)
