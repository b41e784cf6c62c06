"""What an importer has made of a published file: the tables of a definition, and how near it comes to the original."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from tinystream.app.importers.source import Wishes
from tinystream.app.importers.template import Row, Table, comment
from tinystream.errors import TinystreamError

NO_SINK = """\
# [[sink]]                    # where alerts go; without one they are printed
# kind  = "mqtt"
# topic = "home/{app}/{label}"
"""


class Nearness(NamedTuple):
    """How near the app comes to its original, in words: which bits are the same, which are not, and why."""

    features: str
    scores: str
    events: str


@dataclass(frozen=True)
class Imported:
    """An app that is ready to be written.

    kind:    the format; heeds: the wishes that this format looks at.
    says:    what the app does; origin: the file that it was made from, credit: who made that.
    near:    how near it is; lacks: what the original computes besides and the app does not, a sentence each.
    """

    kind: str
    heeds: frozenset[str]
    name: str
    says: str
    origin: str
    credit: str
    tables: Sequence[Table]
    model: bytes
    near: Nearness
    lacks: Sequence[str] = ()

    @property
    def model_name(self) -> str:
        return f"{self.name}.tflite"

    @property
    def toml(self) -> str:
        """The definition."""
        head = [
            *comment(self.says),
            "#",
            *comment(f"Imported from {self.origin} ({self.credit}).  How near it is to the original:"),
            *(line for what, how in self.near._asdict().items() for line in comment(f"  {what:<9} {how}", 12)),
            *(line for lack in self.lacks for line in comment(f"  not here  {lack}", 12)),
        ]
        name = Table("", [Row("name", self.name)]).text
        return "\n".join(["\n".join([*head, name]), *(f"\n{table.text}" for table in self.tables), f"\n{NO_SINK}"])

    def refuse_idle(self, wishes: Wishes) -> None:
        """A wish that this format has no use for is a misunderstanding."""
        for wish in sorted(wishes.given - self.heeds):
            option = f"--{wish.removesuffix('s')}"
            raise TinystreamError(f"{option} means nothing for {self.origin}, a file of the kind {self.kind}", f"leave {option} out")

    def as_dict(self) -> dict[str, Any]:
        """For scripts."""
        return dict(app=self.name, kind=self.kind, origin=self.origin, **self.near._asdict(), lacks=list(self.lacks))
