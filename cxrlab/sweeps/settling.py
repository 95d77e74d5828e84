"""Drafts → the runs that can be, with those that must come first though nobody named them.

In:    the drafts of a sweep, in its order.
Out:   an Expansion: equal runs once, what is needed before what needs it, a reason for each that cannot be.
Never: torch, files of a lab.
"""

from collections.abc import Iterable, Mapping

from cxrlab import spec as specs
from cxrlab.errors import BadSpec
from cxrlab.sweeps import ahead
from cxrlab.sweeps.cells import Cell, Draft, Expansion, key_of, spec_of

TO_COME = "to-come"  # stands for a run's name while nobody knows it


class Settling:
    """The runs of a sweep while they are being sorted out."""

    def __init__(self) -> None:
        self.cells: dict[str, Cell] = {}
        self.invalid: dict[str, str] = {}
        self.same: dict[str, str] = {}
        self.first: dict[str, str] = {}  # digest → key

    def settle(self, drafts: list[Draft]) -> Expansion:
        """Return what comes of the drafts.

        Those that wait for a run which nobody named come last: by then it is known which runs the sweep has.
        """
        waiting: dict[str, Draft] = {}
        for draft in drafts:
            if any(key in waiting for key in draft.needs.values()) or self._waits(draft):
                waiting[draft.key] = draft
            else:
                self._settle_one(draft)
        for draft in waiting.values():
            self._settle_waiting(draft)
        order = [draft.key for draft in drafts if draft.key in self.cells]
        return Expansion(tuple(self._in_order(order)), self.invalid, self.same)

    def _waits(self, draft: Draft) -> bool:
        try:
            return not draft.problem and bool(ahead.waits_for(draft.fields, draft.needs))
        except BadSpec as error:
            draft.problem = str(error)
            return False

    def _settle_waiting(self, draft: Draft) -> None:
        """Settle a draft once the runs that it waits for are settled, of the sweep or added to it."""
        try:
            waits = ahead.waits_for(draft.fields, draft.needs)
            named = dict.fromkeys((*draft.needs, *waits), TO_COME)
            spec_of(draft.fields, named)  # else it is this run that cannot be, not the one before it
            for path in waits:
                draft.needs[path] = self._found(path, draft) or self._added(path, draft)
                ahead.put(draft.fields, path, "")
        except BadSpec as error:
            draft.problem = str(error)
        self._settle_one(draft)

    def _found(self, path: str, draft: Draft) -> str:
        """Return the key of the sweep's own run that gives what `draft` waits for; "" when it has none.

        Raises:
            BadSpec: several do.
        """
        if path == ahead.TEACHER:
            return ""  # only the same run masked will do, and an equal run is found by being equal
        fit = [
            cell
            for cell in self.cells.values()
            if not cell.added and ahead.gives(path, cell.spec, draft.fields)
        ]
        beside = [cell for cell in fit if all(draft.values.get(at, v) == v for at, v in cell.values.items())]
        if len(fit := beside if len(fit) > 1 else fit) > 1:
            raise BadSpec(
                f"it waits for {ahead.NAMES[path]}, and {len(fit)} runs of the sweep could give it: "
                f"{', '.join(cell.key for cell in fit[:3])}; name its arm in 'needs' as {path!r}."
            )
        return fit[0].key if fit else ""

    def _added(self, path: str, draft: Draft) -> str:
        """Settle the run that `draft` waits for as one of its own, and return its key, or that of an equal run."""
        fields = ahead.fields_of(path, draft.fields)
        arm = ahead.NAMES[path] + (f" of {draft.arm}" if draft.arm else "")
        values = {at: found for at in draft.values if (found := ahead.value_at(fields, at)) is not None}
        if path != ahead.TEACHER:  # what is varied about labels is nothing to a run without
            values = {at: value for at, value in values.items() if value == draft.values[at]}
        needs = {at: key for at, key in draft.needs.items() if at != path} if path == ahead.TEACHER else {}
        one = Draft(key_of(arm, values, draft.seed, seeds=draft.several), arm, values, draft.seed, fields, needs,
                    draft.several, added=draft.key)  # fmt: skip
        if one.key in self.cells or one.key in self.same or one.key in self.invalid:
            one.key = f"{ahead.NAMES[path]} of {draft.key}"
        self._settle_waiting(one)
        if why := self.invalid.pop(one.key, ""):
            raise BadSpec(f"its {ahead.NAMES[path]} cannot be: {why}")
        # An added run that the sweep has already is no second wish for it.
        return self.same.pop(one.key, one.key)

    def _settle_one(self, draft: Draft) -> None:
        """Make a cell of a draft whose needs are settled, or say why it cannot be."""
        needs = {path: self.same.get(needed, needed) for path, needed in draft.needs.items()}
        if missing := next((needed for needed in needs.values() if needed in self.invalid), ""):
            self.invalid[draft.key] = draft.problem or f"it needs {missing!r}, which cannot be"
            return
        try:
            if draft.problem:
                raise BadSpec(draft.problem)
            spec = spec_of(draft.fields, {path: self.cells[key].spec.run_id for path, key in needs.items()})
            self._check_fit(spec, needs)
        except BadSpec as error:
            self.invalid[draft.key] = str(error)
            return
        known = self.first.setdefault(specs.digest(spec), draft.key)
        if known != draft.key:
            self.same[draft.key] = known
            return
        self.cells[draft.key] = Cell(
            draft.key, draft.arm, draft.values, draft.seed, draft.fields, needs, spec, draft.added
        )

    def _check_fit(self, spec: specs.TrainSpec, needs: Mapping[str, str]) -> None:
        """Raise BadSpec where a run cannot go on from one that it needs: now, not when that one is trained."""
        for path, key in needs.items():
            known = self.cells[key]
            try:
                ahead.check_fit(path, known.spec, spec)
            except BadSpec as error:  # the person knows it by its name in the sweep
                raise BadSpec(str(error).replace(known.spec.run_id, key)) from error
            if path != ahead.TEACHER and (again := sorted(self._seen(key) & set(spec.view.external))):
                raise BadSpec(
                    f"{', '.join(again)} cannot be external: {key!r}, which this run goes on from, was trained there; leave "
                    "it out."
                )

    def _seen(self, key: str) -> set[str]:
        """Return the sites that a cell's network will have seen, in the runs that it began with too."""
        cell = self.cells[key]
        below = [self._seen(of) for path, of in cell.needs.items() if path != ahead.TEACHER]
        return set(cell.spec.view.source).union(*below)

    def _in_order(self, keys: Iterable[str]) -> list[Cell]:
        """Return the cells of `keys` in that order, each behind those that it needs."""
        done: dict[str, Cell] = {}

        def take(key: str) -> None:
            if key not in done:
                for needed in self.cells[key].needs.values():
                    take(needed)
                done[key] = self.cells[key]

        for key in keys:
            take(key)
        return list(done.values())
