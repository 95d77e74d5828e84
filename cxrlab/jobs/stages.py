"""What each kind of spec makes a job do, stage by stage; stages that are done already are skipped.

In:    a spec, its run folder, the lab's stores.
Out:   checkpoint, predictions, thresholds and maps in the run's folder.
Never: processes, slots, endings; a finding's arithmetic.
"""

import traceback
from collections.abc import Callable, Iterable

from cxrlab import spec as specs
from cxrlab import store
from cxrlab.errors import BadRun, BadStore, CxrlabError, NoSpace
from cxrlab.jobs import worker
from cxrlab.jobs.request import open_store
from cxrlab.paths import Lab, RunPaths
from cxrlab.progress import Progress

AnySpec = specs.AnySpec


def carry_out(lab: Lab, spec: AnySpec, run: RunPaths, progress: Progress) -> None:
    """Do what `spec` says. Raises whatever went wrong; what was finished before stays."""
    if isinstance(spec, specs.ImportSpec):
        raise BadRun(f"{run.run_id} holds scores from elsewhere; import the file again instead.")
    if isinstance(spec, specs.StudySpec):
        from cxrlab.jobs import conductor

        conductor.carry_out(lab, spec, run, progress)
    elif isinstance(spec, specs.SweepSpec):
        from cxrlab.sweeps import conductor as waves

        waves.carry_out(lab, spec, run, progress)
    elif isinstance(spec, specs.ScoreSpec):
        _carry_out_score(lab, spec, progress)
    elif isinstance(spec, specs.BroughtSpec):
        _carry_out_brought(lab, spec, run, progress)
    else:
        _carry_out_train(lab, spec, run, progress)


def _carry_out_train(lab: Lab, spec: specs.TrainSpec, run: RunPaths, progress: Progress) -> None:
    from cxrlab import train

    for site in spec.view.source:
        check_unchanged(lab, site, spec.data)
    train.fit(spec, lab, run, progress)
    if spec.task == "moco":
        return  # it says nothing of an image: there is nothing to score, cut or draw
    for site in spec.view.source:
        score(lab, spec, run, site, spec.data, progress)
    if spec.task != "autoencoder":
        tune(spec, run, progress)
    wrong = _try_each(spec.view.external, lambda site: score(lab, spec, run, site, spec.data, progress))
    scored = [site for site in (*spec.view.source, *spec.view.external) if site not in wrong]
    wrong |= _try_each(scored, lambda site: draw_maps(lab, spec, run, site, progress))
    _raise_for(wrong)


def _carry_out_brought(lab: Lab, spec: specs.BroughtSpec, run: RunPaths, progress: Progress) -> None:
    """Score home, tune and draw there; other sites are scored by runs of their own."""
    if not run.checkpoint.exists():
        raise BadRun(f"{run.run_id} has lost its network; import the file {spec.file.name} again.")
    for site in spec.view.source:
        score(lab, spec, run, site, spec.data, progress)
    if spec.view.source:
        tune(spec, run, progress)
    _raise_for(_try_each(spec.view.source, lambda site: draw_maps(lab, spec, run, site, progress)))


def _carry_out_score(lab: Lab, spec: specs.ScoreSpec, progress: Progress) -> None:
    run = lab.run(spec.run)
    trained = specs.read(run.spec)
    if not run.checkpoint.exists():
        raise BadRun(f"{spec.run} has no checkpoint; let it finish, or resume it, before scoring with it.")

    def score_and_draw(site: str) -> None:
        score(lab, trained, run, site, spec.data, progress)
        draw_maps(lab, trained, run, site, progress)

    _raise_for(_try_each(spec.sites, score_and_draw))


def _try_each(sites: Iterable[str], work: Callable[[str], None]) -> dict[str, str]:
    """Do `work` at each site; one that fails harms no other. Returns site → reason of those that failed."""
    wrong = {}
    for site in sites:
        try:
            work(site)
        except (NoSpace, MemoryError):
            raise  # the next site would meet the same
        except Exception as error:  # noqa: BLE001  # recorded below and in end.json
            if not isinstance(error, CxrlabError):
                traceback.print_exc()
            wrong[site] = worker.reason_of(error)
            print(f"{site}: {wrong[site]}", flush=True)
    return wrong


def _raise_for(wrong: dict[str, str]) -> None:
    if wrong:
        said = " ".join(f"{site}: {reason}" for site, reason in wrong.items())
        raise BadRun(f"{said} (Everything else of this run is there; resume it when this is mended.)")


def check_unchanged(lab: Lab, site: str, data: dict[str, str]) -> store.Store:
    """Return the site's store. Raises BadStore when it is another than at submission, MissingInput when it is gone."""
    there = open_store(lab, site)
    if site in data and data[site] != there.digest:
        raise BadStore(
            f"the store of {site} has changed since this run was submitted ({data[site][:8]} then, "
            f"{there.digest[:8]} now); submit the run again to use the new one."
        )
    return there


def score(
    lab: Lab, spec: specs.NetworkSpec, run: RunPaths, site: str, data: dict[str, str], progress: Progress
) -> None:
    """Score `site` unless its predictions are there, of this spec and this store."""
    from cxrlab import predictions
    from cxrlab import score as scoring

    there = check_unchanged(lab, site, data)
    if run.predictions(site).exists():
        known = predictions.read(run.predictions(site))
        if (known.spec_digest, known.store_digest) == (specs.digest(spec), there.digest):
            return
    scoring.score_site(lab, run, site, progress)


def tune(spec: specs.NetworkSpec, run: RunPaths, progress: Progress) -> None:
    """Tune thresholds on home's validation rows."""
    import pandas as pd

    from cxrlab import predictions
    from cxrlab.metrics import thresholds

    progress.stage("tune thresholds", 1)
    parts = [predictions.read(run.predictions(site)) for site in spec.view.source]
    home = parts[0]
    if len(parts) > 1:  # several homes are one population to the model, so one set of thresholds
        table = pd.concat([part.table for part in parts], ignore_index=True)
        home = predictions.Predictions(
            table,
            home.run_id,
            "+".join(part.site for part in parts),
            home.spec_digest,
            home.store_digest,
            home.cxrlab_version,
            any(part.synthetic for part in parts),
        )
    thresholds.write(run.thresholds, thresholds.tune(home, spec.seed))
    progress.step(1)


def draw_maps(lab: Lab, spec: specs.NetworkSpec, run: RunPaths, site: str, progress: Progress) -> None:
    """Draw the maps of failures at `site`, unless they are there and younger than what they were drawn from."""
    if spec.task == "autoencoder" or spec.model.latents_of or not spec.maps_per_group:
        return
    if not spec.view.source:
        return  # a failure is one at a threshold, and only a home tunes one
    from cxrlab.explain import maps

    made, of = run.maps(site), (run.predictions(site), run.thresholds)
    if made.exists() and all(made.stat().st_mtime_ns > path.stat().st_mtime_ns for path in of):
        return
    if maps.applies(spec):
        maps.make(lab, run, site, progress)
