"""The words of an event's value, one in each clock, chosen by their number instead of moved through all registers."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ("chosen", "chosen_gates", "number_bits", "number_of_word")


def number_bits(words: int) -> int:
    """Bits of the number of a word."""
    return (words - 1).bit_length()


def number_of_word(words: int, start: int) -> str:
    """What a register takes to be the number of each word from ``at[start]`` on; 0, the first's, in other clocks."""
    ends = [
        " | ".join(f"at[{start + word - 1}]" for word in range(1, words) if word >> bit & 1)
        for bit in reversed(range(number_bits(words)))
    ]
    return f"rst ? {number_bits(words)}'d0 : {{{', '.join(ends)}}}"


def chosen(words: Sequence[str], number: str) -> str:
    """The word of this number: a tree of choices, by the highest bit first."""
    if len(words) == 1:
        return words[0]
    bit = number_bits(len(words)) - 1
    low, high = words[: 1 << bit], words[1 << bit :]
    return f"({number}[{bit}] ? {chosen(high, number)}\n        : {chosen(low, number)})"


def chosen_gates(words: int) -> int:
    """Look-up tables of six inputs for each bit: one takes four words' and two of the number's."""
    return -(-(words - 1) // 3)
