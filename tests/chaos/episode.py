"""One run of the suite: all that happens in it is drawn from a number, its seed.

What is drawn are the logs, their producers' and readers' actions, and at which moments the server is killed, stopped or held.
When each happens is up to the machine, so that the same seed may pass once and fail the next time; but it does the same.
"""

import asyncio
import contextlib
import random
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from .ledger import Broken, Ledger
from .place import Place, Setting, folder_and_ports, plan_of
from .producers import Producer
from .readers import Reader
from .wire import Gone, Hanging

LIMIT = 150.0
"""Seconds that a run may last, which takes two to ten: reached only by a fault."""


@dataclass(frozen=True)
class Outcome:
    """What a run came to: answers, bytes that were compared, and what happened to the server."""

    answers: int
    checked: int
    logs: int
    faults: Counter[str]


class Failed(AssertionError):
    """A run has found a fault. The text says how to run it again."""


def run(seed: int, *, source: str | None = None) -> Outcome:
    """Run the episode of that seed. `source`: a folder with the package `livelog` to test. Raises: Failed."""
    try:
        with folder_and_ports() as (folder, put, get):
            episode = Episode(seed, source)
            return asyncio.run(episode.run(folder, put, get))
    except (Broken, Hanging) as error:
        raise Failed(f"seed {seed} (python -m tests.chaos --seed {seed}): {error}") from error


class Episode:
    """The episode of a seed."""

    def __init__(self, seed: int, source: str | None) -> None:
        chance = self._chance(seed, "setting")
        self._seed = seed
        patient = chance.random() < 0.8
        self._setting = Setting(
            durable=chance.random() < 0.65,
            grace=60 if patient else 0.3,
            development=chance.random() < 0.2,
            source=source,
        )
        self._ledger = Ledger(durable=self._setting.durable, patient=patient)
        self._plan = plan_of(chance)
        self._names = [f"job/{number}" for number in range(chance.randint(2, 6))]
        self._volleys = 0

    @staticmethod
    def _chance(seed: int, what: str) -> random.Random:
        return random.Random(f"{seed} {what}")

    async def run(self, folder: Path, put: int, get: int) -> Outcome:
        """Run it. Raises: Broken, Hanging."""
        ledger, seed = self._ledger, self._seed
        place = Place(ledger, self._setting, folder, put, get, self._plan)
        ledger.note("episode", f"seed {seed}: {self._setting}, {self._plan}")
        tasks = place.tasks

        def spawn(reader: Reader, kind: str | None = None) -> None:
            tasks.add(asyncio.get_running_loop().create_task(reader.run() if kind is None else reader.read(kind)))

        def volley() -> None:
            self._volleys += 1
            for number in range(16):
                chance = self._chance(seed, f"volley {self._volleys} {number}")
                name = chance.choice(self._names)
                spawn(
                    Reader(place, ledger, name, chance, 1, 1000 * self._volleys + number),
                    chance.choice(("old", "old", "follow", "events")),
                )

        place.volley = volley
        try:
            async with asyncio.timeout(LIMIT), place.working():
                for name in self._names:
                    chance = self._chance(seed, f"producer {name}")
                    producer = Producer(place, ledger, name, chance, chance.randint(1, 4))
                    tasks.add(asyncio.get_running_loop().create_task(producer.run()))
                    for number in range(chance.randint(2, 5)):
                        chance = self._chance(seed, f"reader {number} {name}")
                        spawn(Reader(place, ledger, name, chance, chance.randint(3, 12), number))
                while tasks:
                    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                    tasks -= done
                    for error in [error for task in done if (error := task.exception()) is not None]:
                        raise error
                await self._audit(place)
        except TimeoutError as error:
            raise Hanging(
                f"the run did not end within {LIMIT:g} s\n" + str(ledger.broken("episode", "late"))
            ) from error
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        logs = sum(len(name.logs) for name in ledger.names.values())
        return Outcome(ledger.answers, ledger.checked, logs, place.faults)

    async def _audit(self, place: Place) -> None:
        """In the end all is asked for once more, in the simple ways."""
        for name in self._names:
            reader = Reader(place, self._ledger, name, self._chance(self._seed, f"audit {name}"), 1, 9999)
            for kind in ("status", "now", "follow", "old", "events", "lines", "status", "resume"):
                with contextlib.suppress(Gone):
                    await reader.read(kind)
