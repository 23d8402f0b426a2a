"""Put everything together: run folders in, one self-contained HTML page out."""

from __future__ import annotations

from experiments.report import table
from experiments.report.arms import sections
from experiments.report.cost import cost_of, environment_facts, stage_names
from experiments.report.expansion_examples import expansion_examples
from experiments.report.load import Loaded
from experiments.report.pictures import Album
from experiments.report.rows import MARKS
from experiments.report.section import Options, view
from experiments.report.templates import templates
from requery.errors import ConfigError


def render(loaded: Loaded, options: Options = Options()) -> str:
    """Write the page.

    Args:
        loaded: what was found in the run folders.
        options: what the user chose.

    Raises:
        ConfigError: no arm has the name of the baseline asked for.
    """
    found, repeats = sections(loaded.tested, loaded.trained)
    arms = [arm for section in found for arm in section.arms]
    names = [arm.name for arm in arms]
    if options.baseline is not None and options.baseline not in names:
        raise ConfigError(f"no arm is called {options.baseline!r}; choose one of {', '.join(names)}")
    album = Album()
    views = [view(section, options, album, found) for section in found]
    costs = [cost_of(arm) for arm in arms]
    shared, differing = environment_facts([run for section in found for run in section.runs])
    environment = templates()
    environment.filters.update(percent=table.percent, duration=table.duration)
    return environment.get_template("page.html").render(
        views=views,
        title=", ".join(dict.fromkeys(s.protocol for s in found if s.protocol))
        or ("sweeps" if loaded.sweeps else "no tested run"),
        runs=loaded.n_tested + len(loaded.trained),
        streams=loaded.streams,
        feedback=loaded.feedback,
        expansion=[(found, *expansion_examples(found.run, album)) for found in loaded.expansion],
        sweeps=loaded.sweeps,
        costs=costs,
        stages=stage_names(costs),
        shared=shared,
        differing=differing,
        problems=[*loaded.problems, *repeats],
        album=album,
        options=options,
        marks=MARKS,
        table=table,
    )
