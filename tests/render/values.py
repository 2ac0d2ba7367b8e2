"""Random values that are hard for whoever quotes them, the same ones for the same seed."""

from __future__ import annotations

import os
import random
import secrets
from itertools import accumulate

HARD = "\\'\"$`#%\n\r\t ~!"
NON_BMP = "😀𐍈𝒳"
SOFT = "abcXYZ0189_-+=:,./@^*?()[]{}<>|;& é€中\x01\x1b\x7f\x81\x88\u2028\ufeff"
ALPHABET = HARD + SOFT + NON_BMP
WEIGHTS = list(
    accumulate(share / len(some) for some, share in ((HARD, 0.485), (SOFT, 0.485), (NON_BMP, 0.03)) for _ in some)
)
SEED_VARIABLE = "CODESENSEI_SEED"
LONGEST = 4096


def seed() -> int:
    """The seed of this run: a new one, or the one that the environment names to repeat a run."""
    return int(os.environ.get(SEED_VARIABLE) or secrets.randbelow(2**32))


def hostile(chooser: random.Random) -> str:
    """Half of all characters hard ones; every length from 0 to 4,096, short ones more often."""
    length = int(LONGEST ** chooser.random()) - 1 if chooser.random() < 0.97 else chooser.randint(0, LONGEST)
    text = "".join(chooser.choices(ALPHABET, cum_weights=WEIGHTS, k=length))
    wrapper = chooser.random()
    if wrapper < 0.05:
        return f"'{text}'"
    if wrapper < 0.1:
        return f'"{text}"'
    return f"'{text.translate(dict.fromkeys(map(ord, chr(39))))}'" if wrapper < 0.12 else text


def batches(count: int, seed: int, size: int = 200) -> list[dict[str, str]]:
    """So many values as variables, in files of `size`."""
    chooser = random.Random(seed)
    values = [hostile(chooser) for _ in range(count)]
    return [
        {f"V{number}": value for number, value in enumerate(values[start : start + size])}
        for start in range(0, count, size)
    ]


def hard_share(values: list[str]) -> float:
    """Which part of all characters is a hard one."""
    text = "".join(values)
    return sum(text.count(character) for character in HARD + NON_BMP) / len(text)
