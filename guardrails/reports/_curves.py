"""The curves of a calibration as a picture: what each threshold finds, rightly and wrongly."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from guardrails.authoring._calibrate import Calibration, Rates
from guardrails.errors import ConfigurationError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FORMATS = (".png", ".svg", ".pdf")
_COLUMNS = 3


def check_plot(file: Path) -> None:
    """Refuse a file that could not be written in the end, before a model is paid for.

    Raises:
        ConfigurationError: the extra `report` is missing, or it is no picture's name.
    """
    try:
        import matplotlib as _  # noqa: F401, ICN001 - whether it is there
    except ImportError:
        raise ConfigurationError("a plot needs: pip install 'constitutional-guardrails[report]'") from None
    if file.suffix.lower() not in FORMATS:
        raise ConfigurationError(f"{file}: a plot ends in one of {', '.join(FORMATS)}.")
    if not file.resolve().parent.is_dir():
        raise ConfigurationError(f"{file}: there is no folder {file.parent} to write it to.")


def write_curves(calibrations: Sequence[Calibration], file: Path, wanted: float) -> None:
    """Draw a panel for each principle: recall and false alarms by threshold, as chosen by and as held out.

    Raises:
        ConfigurationError: the file cannot be written.
    """
    from matplotlib.figure import Figure

    rows = -(-len(calibrations) // _COLUMNS)
    columns = min(_COLUMNS, len(calibrations))
    figure = Figure(figsize=(4.4 * columns, 3.2 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True).ravel()
    for panel, calibration in zip(panels, calibrations, strict=False):
        _draw(panel, calibration, wanted)
    for panel in panels[len(calibrations) :]:
        panel.set_visible(False)
    for panel in panels[: len(calibrations)][-columns:]:  # those with nothing below them
        panel.set_xlabel("threshold")
        panel.tick_params(labelbottom=True)
    handles, names = panels[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=len(names), frameon=False, fontsize="small")
    try:
        figure.savefig(file, dpi=150)
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be written: {error.strerror}.") from None


def _draw(panel: Axes, calibration: Calibration, wanted: float) -> None:
    for points, style, part in ((calibration.curve, "-", ""), (calibration.held_out_curve, ":", ", held out")):
        thresholds = [point.threshold for point in points]
        panel.plot(thresholds, _percent(points, "recall"), f"C0{style}", label=f"violating found{part}")
        panel.plot(thresholds, _percent(points, "false_alarms"), f"C3{style}", label=f"complying found{part}")
    panel.axhline(wanted * 100, color="C3", linewidth=0.6, alpha=0.6, label="wanted at most")
    if calibration.chosen is not None:
        panel.axvline(calibration.chosen, color="0.3", linewidth=1)
        panel.annotate(str(calibration.chosen), (calibration.chosen, 95), xytext=(3, -3), textcoords="offset points")
    panel.set_title(calibration.principle, fontsize="small")
    panel.set(xlim=(0, 101), ylim=(-3, 103), ylabel="%")
    panel.label_outer()


def _percent(points: Sequence[Rates], name: str) -> list[float]:
    """Nothing is drawn where there is nothing to count."""
    shares = [getattr(point, name).value for point in points]
    return [float("nan") if share is None else share * 100 for share in shares]
