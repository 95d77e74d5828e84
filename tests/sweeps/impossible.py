"""Asked for and impossible: what is in the file or the words, and what the sentence has to say."""

import copy

TRAIN = {
    "kind": "train",
    "view": {"source": ["home"], "external": ["east"], "labels": ["Pneumonia"], "image_px": 32},
    "model": {"name": "small_cnn"},
    "training": {"batch": 8, "epochs": 2},
}
BASE = {name: value for name, value in TRAIN.items() if name != "kind"}
THOUSAND = list(range(1, 1001))
HEAD = {"task": "normal", "model.name": "latent_head"}


def train(**changes):
    """Return the fields of a run that can be, with dotted ones changed."""
    fields = copy.deepcopy(TRAIN)
    for path, value in changes.items():
        groups, inside = path.split("__"), fields
        for name in groups[:-1]:
            inside = inside.setdefault(name, {})
        inside[groups[-1]] = value
    return fields


def sweep(**more):
    return {"kind": "sweep", "name": "x", "base": BASE, **more}


def arm(name="a", needs=None, **sets):
    return {
        "name": name,
        "set": {path.replace("__", "."): value for path, value in sets.items()},
        "needs": needs or {},
    }


# A run: what is in its file, what the sentence says.
RUNS = {
    "another kind": (train(kind="trian"), r"kind: found 'trian'; did you mean 'train'\?"),
    "no kind": ({}, 'expected the key "kind"'),
    "a list": ([1], "holds a list; expected an object"),
    "a number": (7, "holds a int"),
    "not json": ("{not json", "is not JSON"),
    "nothing at all": ("", "is not JSON"),
    "deep beyond reason": ("[" * 100_000, "is not JSON"),
    "no view": ({"kind": "train"}, "view: it is missing"),
    "no such group": (train(trianing={}), r"trianing: no such field; did you mean 'training'\? Known: .*view"),
    "no such field": (train(training__epocs=2), r"training.epocs: no such field; did you mean 'epochs'\?"),
    "no such option": (
        train(training__loss="focal", training__loss_options={"gama": 1}),
        "no option named 'gama', known: gamma, alpha",
    ),
    "an option out of range": (
        train(training__sampling="balanced", training__sampling_options={"most": 0}),
        r"'balanced': most: found 0; expected at least 1",
    ),
    "too few epochs": (train(training__epochs=0), "training.epochs: found 0; expected at least 1"),
    "too large a rate": (train(training__learning_rate=2), "training.learning_rate: found 2; expected at most 1"),
    "a rate that is no number": (train(training__learning_rate=float("nan")), "learning_rate: found nan"),
    "a word for a number": (train(training__batch="many"), "found 'many'; expected a whole number"),
    "half an epoch": (train(training__epochs=1.5), "found 1.5; expected a whole number"),
    "a word for a group": (train(training="fast"), r"training: found 'fast'; expected fields in \{ \}"),
    "a word for a list": (train(view__source="home"), r"view.source: found 'home'; expected a list in \[ \]"),
    "another task": (train(task="lables"), r"task: found 'lables'; did you mean 'labels'\?"),
    "a tiny image": (train(view__image_px=8), "found 8; expected at least 28"),
    "a negative seed": (train(seed=-1), "seed: found -1; expected at least 0"),
    "another network": (train(model__name="densnet121"), r"did you mean 'densenet121'\?"),
    "another loss": (train(training__loss="focl"), r"did you mean 'focal'\?"),
    "another optimizer": (train(training__optimizer="adamv"), r"did you mean 'adam"),
    "no home": (train(view__source=[]), "view.source: found 0; expected at least 1"),
    "a home that the lab lacks": (train(view__source=["north"]), "no store for the site 'north'"),
    "an external site that the lab lacks": (train(view__external=["south"]), "no store for the site 'south'"),
    "an external site that is home": (train(view__external=["home"]), "both home and external"),
    "a site twice": (train(view__external=["east", "east"]), "named twice"),
    "no such finding": (train(view__labels=["Pneumona"]), "no label named 'Pneumona'"),
    "a finding that nobody annotates at home": (train(view__labels=["Hernia"]), "does not annotate Hernia"),
    "a finding that is always there": (train(view__labels=["Edema"], view__source=["same"]), "no negative images"),
    "a batch larger than the data": (train(training__batch=900), "a batch of 900 is larger than the 44 images"),
    "a batch larger than the budget": (train(strategy__images=4), "larger than the label budget of 4"),
    "a budget larger than the data": (train(strategy__images=900), "asks for 900 training images and there are too few"),
    "shares that are no numbers": (
        train(view__source=["home", "west"], strategy__images=20, strategy__shares={"home": float("nan"), "west": 0.5}),
        "its share of strategy.images, together 1",
    ),
    "weights that are not there": (
        train(model__name="densenet121", model__weights="gone/best.safetensors"),
        "no weights at gone/best.safetensors; give 'none', 'hub' or the path",
    ),
    "weights of another network": (train(model__weights="hub"), "takes no first weights"),
    "weights that are not free": (
        train(model__name="convnextv2_tiny", model__weights="hub"),
        "set model.allow_noncommercial where that licence allows",
    ),
    "half of a head on latents": (train(task="normal", model__name="latent_head"), "go together"),
    "latents of nobody": (
        train(task="normal", model__name="latent_head", model__latents_of="auto-1"),
        "no run named 'auto-1' to take latents of",
    ),
    "self-trained without a teacher": (train(view__uncertain="self-trained"), "needs a teacher"),
    "a teacher that is not there": (
        train(view__uncertain="self-trained", teacher="labels-1"), "no run named 'labels-1' to be the teacher"
    ),
    "a teacher who has no pupil": (train(teacher="labels-1"), "teaches nothing"),
    "a start that is not there": (train(strategy__start_from="labels-1"), "no run named 'labels-1' to start from"),
    "a frozen network that learnt nothing": (train(strategy__layers="head"), "name a run in strategy.start_from"),
    "pretraining that is scored": (train(task="moco"), "pretraining is not scored"),
    "two looks at a scaled gradient": (
        train(training__optimizer="sam", training__precision="fp16"), "looks at a gradient twice a step"
    ),
    "a gate at a home without normals": (
        train(view__source=["ill"], model__name="hierarchical", model__options={"disease": "small_cnn"}),
        "ill has no normal images",
    ),
    "a site that shares patients with home": (train(view__external=["twin"]), "twin.*--allow-overlap"),
    "scores from elsewhere": (
        {"kind": "import", "name": "x", "files": [{"site": "a", "file": "a", "digest": "0", "columns": {}}]},
        "import-scores FILE",
    ),
}  # fmt: skip

# A sweep's file.
SWEEPS = {
    "a million runs": (
        sweep(axes={"training.epochs": THOUSAND, "training.patience": THOUSAND}),
        "names 1,000,000 runs; at most 2,000",
    ),
    "more runs than atoms": (
        sweep(axes={f"training.{k}": THOUSAND for k in range(30)}),
        "at most 2,000 can be asked for at once",
    ),
    "a million seeds": (sweep(seeds=list(range(1_000_000))), "names 1,000,000 runs"),
    "not json": ("{'kind': 'sweep'}", "is not JSON"),
    "a run": (TRAIN, 'holds a train; a sweep has "kind": "sweep"'),
    "no base": ({"kind": "sweep", "name": "x"}, "base: it is missing"),
    "a name that is no file's": (sweep(name="A B/.."), "name: found 'A B/..'; expected up to 40 lower-case"),
    "no such field": (sweep(axis={}), r"axis: no such field; did you mean 'axes'\?"),
    "an axis that no run has": (
        sweep(axes={"training.epocs": [1, 2]}),
        r"2 of 2 runs cannot be: .*training.epocs: no such field; did you mean 'epochs'",
    ),
    "an axis of seeds": (sweep(axes={"seed": [0, 1]}), "name seeds in the field 'seeds'"),
    "an axis without values": (sweep(axes={"training.epochs": []}), "has no values"),
    "a value out of range": (sweep(axes={"training.epochs": [1, 0]}), "1 of 2 runs cannot be: .*found 0; expected at least 1"),
    "a list of unlike lengths": (
        sweep(how="list", axes={"training.epochs": [1, 2], "training.loss": ["bce"]}), "all need as many"
    ),
    "two arms of one name": (sweep(arms=[arm(), arm()]), "two arms are named 'a'"),
    "an arm that needs nobody": (sweep(arms=[arm(needs={"teacher": "b"})]), "does not stand before it"),
    "an arm that needs itself": (sweep(arms=[arm(needs={"teacher": "a"})]), "does not stand before it"),
    "a word for no run": (
        sweep(arms=[arm(strategy__start_from="@moko")]), r"strategy.start_from '@moko' is no run; .*'@moco'"
    ),
    "a start with another network": (
        sweep(arms=[arm(), arm("b", {"strategy.start_from": "a"}, model__name="small_cnn3")]), "'a' holds the network 'small_cnn'"
    ),
    "a start that saw what is to be unseen": (
        sweep(arms=[arm(view__external=[]), arm("b", {"strategy.start_from": "a"}, view__source=["west"], view__external=["home"])]),
        "home cannot be external: 'a', which this run goes on from, was trained there",
    ),
    "a head on what is no autoencoder": (
        sweep(arms=[arm(), {"name": "b", "set": HEAD, "needs": {"model.latents_of": "a"}}]), "'a' is no autoencoder"
    ),
    "one run of the lab that is not there": (sweep(axes={"strategy.start_from": ["", "labels-1"]}), "no run named 'labels-1'"),
    "a finding that nobody annotates": (sweep(axes={"view.labels": [["Hernia"]]}), "does not annotate Hernia"),
    "a batch larger than the data": (sweep(axes={"training.batch": [8, 900]}), "a batch of 900 is larger than the 44"),
    "a budget larger than the data": (sweep(axes={"strategy.images": [20, 900]}), "asks for 900 training images"),
    "weights that are not there": (
        sweep(axes={"model.weights": ["none", "gone.pth"]}, base={**BASE, "model": {"name": "densenet121"}}),
        "no weights at gone.pth",
    ),
    "a home that is external": (sweep(axes={"view.external": [["home"], ["east"]]}), "both home and external"),
    "a site that the lab lacks": (sweep(axes={"view.external": [["south"], ["east"]]}), "no store for the site 'south'"),
    "a gate beside a flat network, at a home without normals": (
        sweep(
            base={**BASE, "view": {**BASE["view"], "source": ["ill"]}},
            arms=[arm(view__labels=["Edema"]), arm("b", model__name="hierarchical", model__options={"disease": "small_cnn"})],
        ),
        "ill has no normal images",
    ),
    "nothing that is left": (sweep(axes={"training.loss": ["focl"]}, skip_invalid=True), "1 of 1 runs cannot be"),
    "studies for runs": (sweep(base={"kind": "study", "source": "home"}), "made of training runs"),
    "a base that is no fields": (sweep(base=[1]), r"base: found \[1\]; expected fields"),
}  # fmt: skip

WORDS = {
    "run: no file": (["run", "gone.json"], "no spec at gone.json"),
    "run: a folder": (["run", "."], "is not JSON|is no file|not a file"),
    "run: no such executor": (["run", "RUN", "--executor", "moon"], "moon"),
    "sweep: nothing": (["sweep"], "name a sweep's file or a preset"),
    "sweep: no file": (["sweep", "gone.json"], "no spec at gone.json"),
    "sweep: no such name": (["sweep", "mine"], "no sweep named 'mine'"),
    "sweep: file and preset": (["sweep", "SWEEP", "--preset", "losses"], "name a sweep's file or a preset"),
    "sweep: no such preset": (["sweep", "--preset", "loses", "--home", "home"], r"did you mean 'losses'\?"),
    "sweep: a preset without a home": (["sweep", "--preset", "losses", "--external", "east"], "needs a site as home"),
    "sweep: a preset at sites that the lab lacks": (
        ["sweep", "--preset", "losses", "--home", "chexpert", "--external", "nih", "--mini"], "no store for the site 'chexpert'"
    ),
    "sweep: a preset whose external site is home": (
        ["sweep", "--preset", "losses", "--home", "wide", "--external", "wide"], "has two roles"
    ),
    "sweep: a role that the preset has not": (
        ["sweep", "--preset", "losses", "--home", "wide", "--external", "east", "--role", "film=west"], "has no role 'film'"
    ),
    "sweep: a role without a site": (["sweep", "--preset", "photos", "--home", "wide", "--role", "photos"], "says no site"),
    "sweep: two homes for one": (
        ["sweep", "--preset", "losses", "--home", "wide", "east", "--external", "west"], "takes one site as home"
    ),
    "sweep: a home that can teach nothing": (
        ["sweep", "--preset", "losses", "--home", "same", "--external", "east"], "no shared finding has 10 positive"
    ),
    "sweep: seeds below nothing": (["sweep", "SWEEP", "--seeds", "-1"], "seeds are whole numbers"),
    "sweep: one seed twice": (["sweep", "SWEEP", "--seeds", "1", "1"], "each once"),
    "sweep: a table of nothing": (["sweep", "SWEEP", "--table"], "no sweep named 'x'"),
    "study: a home that the lab lacks": (["study", "--source", "north"], "no store for the site 'north'"),
    "study: an external site that the lab lacks": (
        ["study", "--source", "home", "--external", "south"], "no store for the site 'south'"
    ),
    "study: an external site that is home": (["study", "--source", "home", "--external", "home"], "both home and external"),
    "study: a site twice": (["study", "--source", "home", "--external", "east", "east"], "named twice"),
    "study: a seed below nothing": (["study", "--source", "home", "--seed", "-3"], "seed: found -3; expected at least 0"),
    "study: a site that shares patients with home": (
        ["study", "--source", "home", "--external", "twin"], "twin.*--allow-overlap"
    ),
    "score: no such run": (["score", "labels-1", "east"], "no run named 'labels-1'"),
}  # fmt: skip
