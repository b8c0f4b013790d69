"""``ganetics detect``: learn what is normal, score images, test the scores, take the detector elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from ganetics._check import InputError
from ganetics.cli.console import console, help_if_alone, print_json, progress, warn
from ganetics.cli.detector_given import given_settings
from ganetics.cli.images import warn_of_skipped
from ganetics.cli.options import GROUPS, AsJson, Groups
from ganetics.cli.pages import page_at_end
from ganetics.records import write_json

if TYPE_CHECKING:
    from ganetics.anomaly.results import Evaluation, FitResult
    from ganetics.anomaly.settings import DetectConfig
    from ganetics.metrics.detection import Difference, Figure

app = typer.Typer(help="Learn what is normal, and find what is not.", add_completion=False, rich_markup_mode=None)
app.callback(invoke_without_command=True)(help_if_alone)
Run = Annotated[Path, typer.Argument(help="folder of the run")]
WARNINGS = 5
"""Lines about single images; the rest is counted."""


@app.command()
def fit(
    run: Annotated[Path, typer.Argument(help="folder of the run; made if missing")],
    normal: Annotated[str | None, typer.Option(help="folder or .csv of normal images, and of nothing else")] = None,
    groups: Groups = None,
    detector: Annotated[
        str | None,
        typer.Option(
            help="fanogan, fanogan-features, fanogan-maps, ganomaly, autoencoder, padim, padim-mean, neighbours, "
            "neighbours-maps, pixels, colour, brightness, contrast [default: fanogan]"
        ),
    ] = None,
    loss: Annotated[str | None, typer.Option(help="of a GAN: a name, an expression, @FILE or @FILE#N")] = None,
    penalty: Annotated[
        list[str] | None, typer.Option(help="KIND:WEIGHT[/STEPS], or none; can be repeated [default: the detector's]")
    ] = None,
    adversarial: Annotated[str | None, typer.Option(help="of ganomaly: feature or output")] = None,
    score: Annotated[
        str | None, typer.Option(help="PART=WEIGHT,… of a GAN's score, as in residual=1,ratio=0.5")
    ] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="updates of the network, or of the generator")] = None,
    rate: Annotated[float | None, typer.Option(help="learning rate")] = None,
    option: Annotated[
        list[str] | None, typer.Option("--set", help="NAME=VALUE of another setting of the detector; can be repeated")
    ] = None,
    image_size: Annotated[int | None, typer.Option(min=8, max=256, help="side, pixels [default: 64]")] = None,
    normalise_colour: Annotated[
        bool, typer.Option("--normalise-colour", help="give each channel of each image one mean and deviation")
    ] = False,
    mask_border: Annotated[
        bool, typer.Option("--mask-border", help="paint gray what is outside of the circle")
    ] = False,
    specificity: Annotated[
        float | None, typer.Option(help="share of held-out normals below the threshold [default: 0.95]")
    ] = None,
    abnormal: Annotated[
        str | None, typer.Option(help="abnormal images: only their groups are read, and kept for the test")
    ] = None,
    calibration: Annotated[
        str | None, typer.Option(help="abnormal images to choose the threshold with, instead of --specificity")
    ] = None,
    dataset: Annotated[
        str | None, typer.Option(help="label of the data in tables [default: the folder that holds --normal]")
    ] = None,
    split: Annotated[
        int | None, typer.Option(help="number of the split into groups to fit, hold out and test [default: 0]")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="of weights, latents and data order [default: 0]")] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="go on with the run in the folder, as it was begun; with --normal only if all options say the same",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Learn what is normal from normal images.

    About half of their groups are learnt from, a fifth is held out to choose the threshold with, the rest is for
    ganetics detect evaluate.
    """
    from ganetics.anomaly.fit import fit as fit_run
    from ganetics.anomaly.fit import prepare_run, prepared_again
    from ganetics.anomaly.settings import Preprocessing
    from ganetics.execution.log import check_new
    from ganetics.execution.process import prepare
    from ganetics.records import from_values
    from ganetics.report.detect import write_detect_report

    prepare()
    own = {
        "--normal": normal, "--groups": groups, "--detector": detector, "--loss": loss, "--penalty": penalty or None,
        "--adversarial": adversarial, "--score": score, "--steps": steps, "--rate": rate, "--set": option or None,
        "--image-size": image_size, "--normalise-colour": normalise_colour or None,
        "--mask-border": mask_border or None, "--specificity": specificity, "--abnormal": abnormal,
        "--calibration": calibration, "--dataset": dataset, "--split": split, "--seed": seed,
    }  # fmt: skip
    if specificity is not None and calibration is not None:
        raise InputError("--specificity: with --calibration the threshold is chosen between both, give one of the two")
    if resume and normal is None:
        _only_resume(own)
        with progress("reading images") as report:
            prepared = prepared_again(run, on_progress=report, calibration=True)
    else:
        if normal is None:
            raise InputError("--normal: must be given: the folder of normal images")
        settings = given_settings(
            detector or "fanogan", loss=loss, penalties=penalty, adversarial=adversarial, score=score, steps=steps,
            rate=rate, others=option,
        )  # fmt: skip
        values = {"image_size": image_size or 64, "normalise_colour": normalise_colour, "mask_border": mask_border}
        if not resume:
            check_new(run)
        with progress("reading images") as report:
            prepared = prepare_run(
                normal, settings, groups=groups, dataset=dataset, abnormal=abnormal, calibration=calibration,
                preprocessing=from_values(Preprocessing, values, where="preprocessing"),
                specificity=0.95 if specificity is None else specificity, split=split or 0, seed=seed or 0,
                on_progress=report,
            )  # fmt: skip
    warn_of_skipped(prepared.config.skipped, option="--normal")
    with progress("fitting") as report:
        result = fit_run(run, prepared, resume=resume, on_progress=report, on_warning=warn)
    page = page_at_end(lambda: write_detect_report(run), again=f"ganetics report {run}")
    if as_json:
        parts = prepared.config.parts
        print_json({
            "run": str(run), "detector": prepared.config.name, "report": page and str(page),
            **result.model_dump(mode="json", exclude={"held_out_scores"}),
            "groups": {"fit": len(parts.fit), "held_out": len(parts.held_out), "test": len(parts.test)},
        })  # fmt: skip
    else:
        _show_fit(run, prepared.config, result, page)
    if result.failure is not None:
        raise typer.Exit(1)


@app.command()
def score(
    run: Run,
    places: Annotated[list[Path], typer.Argument(metavar="IMAGE|FOLDER…", help="images, or folders of images")],
    out: Annotated[Path, typer.Option(help=".csv or .jsonl: path, pred_score, pred_label")],
    maps: Annotated[Path | None, typer.Option(help="folder for a picture of each image with its heat map")] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="stop at an image that cannot be read, or is of another size or kind")
    ] = False,
    resume: Annotated[bool, typer.Option("--resume", help="go on behind the rows that are there")] = False,
    as_json: AsJson = False,
) -> None:
    """Score images: higher is more abnormal; pred_label is 1 above the threshold. One image or a million."""
    from ganetics.anomaly.fit import fitted_detector
    from ganetics.anomaly.score import Scoring, picture_of, score_files
    from ganetics.execution.process import prepare
    from ganetics.report.scores import Scored, write_scores_report

    prepare()
    config, fitted, preprocessing = fitted_detector(run)
    if maps is not None and not fitted.localises:
        raise InputError(f"--maps: the detector must say where an image is abnormal, {config.name} does not")
    told = 0

    def tell(line: str) -> None:
        nonlocal told
        told += 1
        if told <= WARNINGS:
            warn(line)

    with progress("scoring") as report:
        scoring = Scoring(fitted, preprocessing, strict=strict, maps=maps, on_warning=tell, on_progress=report)
        counts = score_files(scoring, places, out, resume=resume)
    if told > WARNINGS:
        warn(f"{told - WARNINGS} more images were unusual or unreadable; the column note says which")
    page = None
    if maps is not None:
        frozen = fitted.frozen
        every = Scored(out, counts.scored, counts.abnormal, counts.unreadable, frozen.threshold, frozen.threshold_from,
                       frozen.map_low, frozen.map_high)  # fmt: skip
        highest = [(score, path, picture_of(path)) for score, path, _ in sorted(counts.highest, reverse=True)]
        page = page_at_end(
            lambda: write_scores_report(maps, config, every, highest), again="the same command with --resume"
        )
    if as_json:
        plain = {name: value for name, value in vars(counts).items() if name != "highest"}
        print_json({"run": str(run), "out": str(out), **plain, "report": page and str(page)})
        return
    console.print(
        f"{counts.scored:,} images scored, {counts.abnormal:,} above the threshold {fitted.frozen.threshold:.3g}; "
        f"{counts.unreadable:,} could not be read, {counts.unusual:,} unlike those fitted on"
        + (f"; {counts.resumed:,} were there already" if counts.resumed else ""),
        markup=False,
        soft_wrap=True,
    )
    console.print(f"scores: {out}" + (f"; pictures: {page}" if page else ""), markup=False, soft_wrap=True)


@app.command()
def evaluate(
    run: Run,
    abnormal: Annotated[str | None, typer.Option(help="folder or .csv of abnormal images")] = None,
    normal: Annotated[
        str | None, typer.Option(help="normal images of other groups [default: those that the run has kept]")
    ] = None,
    no_normal: Annotated[bool, typer.Option("--no-normal", help="abnormal images alone, for --masks")] = False,
    masks: Annotated[Path | None, typer.Option(help="folder of the abnormal images' masks, of the same names")] = None,
    groups: Annotated[str | None, typer.Option(help=f"{GROUPS} [default: the run's]")] = None,
    leave_out_seen: Annotated[
        bool, typer.Option("--leave-out-seen", help="leave images of groups that were fitted on out of the test")
    ] = False,
    sliding: Annotated[
        int | None, typer.Option(min=1, help="look through windows, so many pixels apart, at the images' own size")
    ] = None,
    pictures: Annotated[bool, typer.Option(help="show test images with their maps in the page")] = True,
    headline: Annotated[bool, typer.Option("--headline", help="note that this run is one of the main results")] = False,
    out: Annotated[Path | None, typer.Option(help="folder for what is written [default: the run's]")] = None,
    as_json: AsJson = False,
) -> None:
    """Test the detector on labelled images of groups that it has not seen, and write the page.

    Every time that this is done is noted: whoever changes something after a look has chosen by the test set.
    """
    from ganetics.anomaly.evaluate import evaluate as evaluate_run
    from ganetics.anomaly.testset import Options
    from ganetics.execution.process import prepare
    from ganetics.report.detect import write_detect_report

    prepare()
    options = Options(
        abnormal=abnormal, normal=normal, no_normal=no_normal, masks=masks, groups=groups,
        leave_out_seen=leave_out_seen, sliding=sliding, pictures=pictures, headline=headline,
    )  # fmt: skip
    with progress("looking") as report:
        found = evaluate_run(run, options, out=out, on_progress=report)
    page = page_at_end(lambda: write_detect_report(run, out), again=f"ganetics report {out or run}")
    if found.unreadable:
        warn(f"{found.unreadable} files could not be read and are not among the test images")
    if found.looks > 1:
        warn(f"labelled test images were looked at {found.looks} times, first on {found.first_look}")
    if as_json:
        plain = found.model_dump(mode="json", exclude={"roc", "precision_recall", "histogram", "pictures"})
        print_json({"run": str(run), **plain, "report": page and str(page)})
    else:
        _show_evaluation(found)
        if page is not None:
            console.print(f"\nreport: {page}", markup=False)


@app.command()
def compare(
    folders: Annotated[list[Path], typer.Argument(metavar="FOLDER…", help="evaluated runs, or folders of them")],
    reference: Annotated[
        str | None, typer.Option(help="row that the others are compared with, as in 'fanogan, wasserstein+gradient:10'")
    ] = None,
    ensembles: Annotated[
        bool, typer.Option("--ensembles", help="a row, too, for the mean score of a row's seeds")
    ] = False,
    added: Annotated[
        bool,
        typer.Option("--added", help="a row, too, for a row's scores added to the reference's"),
    ] = False,
    out: Annotated[Path | None, typer.Option(help="folder for comparison.csv and comparison.json")] = None,
    as_json: AsJson = False,
) -> None:
    """Compare runs on the same test images: mean AUROC over seeds, paired differences, corrected (Holm)."""
    from ganetics._files import write_atomically
    from ganetics.anomaly.compare import compare as compare_runs
    from ganetics.anomaly.compare import to_csv

    found = compare_runs(folders, reference=reference, ensembles=ensembles, added=added)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        write_atomically(out / "comparison.csv", to_csv(found).encode())
        write_json(out / "comparison.json", found)
    if as_json:
        print_json(found)
        return
    table = Table(box=None, pad_edge=False)
    for column in ("run", "seeds", "AUROC", "95 % interval", "sd", "less reference", "95 % interval", "p (Holm)"):
        table.add_column(column)
    for row in found.rows:
        spread = "–" if row.sd is None else f"{row.sd:.3f}"
        table.add_row(
            row.label, str(len(row.seeds)), *figure_words(row.auroc), spread, *_difference(row.difference, row.p_holm)
        )
    console.print(
        f"{found.dataset}: {found.abnormal:,} abnormal and {found.normal:,} normal images, {found.groups:,} groups; "
        f"reference: {found.reference}\n",
        markup=False,
    )
    console.print(table, markup=False)


@app.command()
def export(
    run: Run,
    out: Annotated[Path, typer.Option(help="folder to write to; made if missing, else empty")],
    as_json: AsJson = False,
) -> None:
    """Write the detector to a folder: weights, an ONNX graph, and a script that scores with it without PyTorch."""
    from ganetics.anomaly.export import export as export_run
    from ganetics.anomaly.export import keeps_of_images
    from ganetics.anomaly.fit import stored_configuration
    from ganetics.execution.process import prepare

    prepare()
    files, missing = export_run(run, out)
    kept = keeps_of_images(stored_configuration(run))
    if kept:
        warn(f"{out}: holds {kept} each image that it was fitted on: hand it on only where these may go")
    if missing is not None:
        warn(
            f"{missing}; written without it: {', '.join(files)}; ganetics.anomaly.detectors.load({str(out)!r}) reads it"
        )
    if as_json:
        print_json({"run": str(run), "out": str(out), "files": files})
    else:
        console.print(f"{', '.join(files)} in {out}", markup=False, soft_wrap=True)
        if "score.py" in files:
            console.print(f"next: python {out / 'score.py'} scores.csv FOLDER", markup=False, soft_wrap=True)


def _only_resume(own: Mapping[str, object]) -> None:
    for name, value in own.items():
        if value is not None:
            raise InputError(f"{name}: a run is gone on with as it was begun, leave it out, or give --normal, too")


def _show_fit(run: Path, config: DetectConfig, result: FitResult, page: Path | None) -> None:
    if result.failure is not None:
        console.print(f"{config.name}: {result.failure.kind}: {result.failure.message}", markup=False)
        return
    parts = config.parts
    console.print(
        f"{config.name} fitted on {result.fit:,} normal images of {len(parts.fit):,} groups; threshold "
        f"{result.threshold:.3g} from {result.threshold_from}; {len(parts.test):,} groups kept for the test",
        markup=False,
        soft_wrap=True,
    )
    if page is not None:
        console.print(f"report: {page}", markup=False, soft_wrap=True)
    maps = " --maps maps" if result.localises else ""
    console.print(f"next: ganetics detect score {run} FOLDER --out scores.csv{maps}", markup=False, soft_wrap=True)


def _show_evaluation(found: Evaluation) -> None:
    table = Table(box=None, pad_edge=False)
    for column in ("figure", "value", "95 % interval", "meaning"):
        table.add_column(column)
    rows = {
        "AUROC": (found.auroc, "0.5 is chance"),
        "average precision": (found.average_precision, f"{found.prevalence:.3f} is chance"),
        "sensitivity": (found.sensitivity, "abnormal images above the threshold"),
        "specificity": (found.specificity, f"normal images not above it; threshold from {found.threshold_from}"),
        "pixel AUROC": (found.pixel_auroc, "0.5 is chance"),
        "region overlap": (found.region_overlap, "up to 30 % of normal pixels; 0.15 is chance"),
    }
    for name, (figure, meaning) in rows.items():
        if figure is not None:
            table.add_row(name, *figure_words(figure), figure.reason or meaning)
    console.print(
        f"{found.detector} on {found.dataset}: {found.abnormal:,} abnormal and {found.normal:,} normal images, "
        f"{found.groups:,} groups (none was seen before)\n",
        markup=False,
    )
    console.print(table, markup=False)
    better = Table(box=None, pad_edge=False)
    for column in ("beside it", "AUROC", "difference", "95 % interval", "p (Holm)"):
        better.add_column(column)
    for one in found.baselines:
        better.add_row(one.name, figure_words(one.auroc)[0], *_difference(one.difference, one.p_holm))
    if found.baselines:
        console.print()
        console.print(better, markup=False)


def _difference(found: Difference | None, p_holm: float | None) -> tuple[str, str, str]:
    if found is None or found.value is None:
        return "–", "–", "–"
    interval = "–" if found.low is None else f"{found.low:+.3f} to {found.high:+.3f}"
    return f"{found.value:+.3f}", interval, "–" if p_holm is None else f"{p_holm:.3f}"


def figure_words(figure: Figure) -> tuple[str, str]:
    """Return a value and its interval for people."""
    value = "–" if figure.value is None else f"{figure.value:.3f}"
    return value, "–" if figure.low is None else f"{figure.low:.3f} to {figure.high:.3f}"
