"""`humbleyolo search KEY=VALUES...`: queue an experiment per trial of a grid or random search.

Examples:
  humbleyolo search train.learning_rate=0.003,0.01 train.epochs=10,20
  humbleyolo search 'train.learning_rate=log(0.001..0.03)' --trials 8 --seed 1
  humbleyolo search train.learning_rate=0.003,0.01,0.03 --stop-hopeless 5
"""

import argparse
from pathlib import Path

from humbleyolo.commands.number_options import check_options
from humbleyolo.process.terminal import tell


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add = parser.add_argument
    parser.description = (
        "Queues a DVC experiment per combination of the values listed or, with --trials, per trial drawn at random. "
        "All of them are checked before the first is queued. They run the code, the parameters and the data as they "
        "are now, even if these change before they start. Where Dask's convention names a cluster, its workers run "
        "them, and the command ends with the last one."
    )
    add(
        "spaces",
        metavar="KEY=VALUES",
        nargs="+",
        help="a key of params.yaml and its values: 0.003,0.01 | 0.5..1.5 | log(0.001..0.03)",
    )
    add("--trials", metavar="N", type=int, help="draw N trials at random; without it: all combinations of lists")
    add("--seed", metavar="S", type=int, help="seed of the draw, with --trials; the same seed draws the same trials")
    add("--jobs", metavar="N", type=int, help="start to run the queue in the background, N at a time")
    add(
        "--stop-hopeless", metavar="EPOCH", type=int,
        help="on a cluster: from this epoch on, stop one whose AP is below the 25th percentile of those finished",
    )  # fmt: skip


def run(parsed: argparse.Namespace) -> int:
    """Queue or run the trials, print their names and how to go on, and return the exit code.

    Raises:
        ProblemsError: With every mistake in a trial's parameters.
        UserError: For a wrong space, or if DVC refuses to queue.
    """
    from humbleyolo.errors import UserError
    from humbleyolo.experiments.experiment_queue import queue, start_workers
    from humbleyolo.experiments.trials import assignments, check_trials, draw_trials, every_combination, parse_space
    from humbleyolo.process.cluster import find_cluster
    from humbleyolo.process.cluster_address import VARIABLE

    spaces = [parse_space(text) for text in parsed.spaces]
    keys = [space.key for space in spaces]
    for key in keys:
        if keys.count(key) > 1:
            raise UserError(f"{key}: is given twice; give all its values once")
    if (parsed.trials is None) != (parsed.seed is None):
        raise UserError("--trials and --seed: one without the other; give both to draw, or none for all combinations")
    check_options(parsed)
    drawn = parsed.trials is not None
    trials = draw_trials(spaces, parsed.trials, parsed.seed) if drawn else every_combination(spaces)
    check_trials(Path("params.yaml"), trials)
    if cluster := find_cluster():
        if parsed.jobs is not None:
            raise UserError(f"--jobs {parsed.jobs}: a cluster's workers run the trials; leave it out")
        from humbleyolo.experiments.cluster_search import search_on_cluster

        return search_on_cluster(cluster, trials, parsed.stop_hopeless)
    if parsed.stop_hopeless is not None:
        raise UserError(f"--stop-hopeless: trials are stopped on a cluster alone, which {VARIABLE} names")
    for number, trial in enumerate(trials, 1):
        settings = assignments(trial)
        name = queue(settings, number - 1)
        tell(f"{number}/{len(trials)} {name}: {' '.join(settings)}")
    if parsed.jobs is None:
        print("queued; `dvc queue start --jobs 2` runs them in the background, two at a time")
    else:
        start_workers(parsed.jobs)
        tell(f"queued, and started, {parsed.jobs} at a time; `dvc queue status` tells how far they are")
    return 0
