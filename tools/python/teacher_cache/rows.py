"""Rows of small integers as bits, read and written many at a time.

A row of C codes, given a reference row R (zeros where there is none):

1. K = ⌊(2·Σ code + C) / 2C⌋, the row's mean; residual r = code − K − R.
2. u = zigzag(r). Parameter k in 0…24, the smallest of those that give the fewest bits.
3. Bytes: zigzag K as a variable-length number, k as one byte, then for each class, low bits
   first: q = u >> k ones, a zero, the k low bits of u; where q ≥ 24, 24 ones and u in 32 bits.
   Zero bits fill the last byte.
"""

from __future__ import annotations

import numpy as np

from .errors import MalformedRecord

ESCAPE = 24
LARGEST_PARAMETER = 24
_ESCAPED_BITS = ESCAPE + 32
_FEW_ROWS = 8


def windows(data: np.ndarray) -> np.ndarray:
    """The eight bytes from each place of `data` on as a little-endian number, without copying."""
    return np.ndarray((data.size - 7,), "<u8", data, strides=(1,))


def variable_lengths(window: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Values and sizes of the variable-length numbers that windows begin with."""
    parts = window[..., None] >> (np.arange(5, dtype=np.uint64) * np.uint64(8))
    more = (parts & np.uint64(0x80)) != 0
    open_before = np.logical_and.accumulate(more, axis=-1)
    sizes = 1 + open_before[..., :4].sum(-1)
    if open_before[..., 4].any() or ((sizes == 5) & (parts[..., 4] & np.uint64(0xFF) > 15)).any():
        raise MalformedRecord("a length has too many digits")
    digits = (parts & np.uint64(0x7F)) << (np.arange(5, dtype=np.uint64) * np.uint64(7))
    digits[np.arange(5) >= sizes[..., None]] = 0
    return digits.sum(-1, dtype=np.uint64), sizes


def decode_rows(
    data: np.ndarray, starts: np.ndarray, ends: np.ndarray, width: int
) -> np.ndarray:
    """Rows × width int32 codes, without references, of the rows at those places of `data`.

    At least eight bytes of `data` must follow the last row.
    """
    if (ends - starts < 3).any():
        raise MalformedRecord("a row is cut off")
    values, sizes = variable_lengths(windows(data)[starts])
    means = _unzigzag(values.astype(np.uint32))
    parameters = data[starts + sizes].astype(np.int32)
    if (parameters > LARGEST_PARAMETER).any():
        raise MalformedRecord(f"row parameter {parameters.max()}")
    firsts = starts + sizes + 1
    lengths = ends - firsts
    if (lengths < 1).any():
        raise MalformedRecord("a row is cut off")

    # The rows' bits one after the other, and behind them zeros for what runs over the end.
    tops = np.cumsum(lengths)
    places = np.arange(tops[-1]) + np.repeat(firsts - (tops - lengths), lengths)
    packed = np.concatenate([data[places], np.zeros(16, np.uint8)])
    bits = np.unpackbits(packed, bitorder="little")
    count = bits.size
    numbers = np.arange(count, dtype=np.int32)
    # For every bit where the ones that begin there end, and where the next code begins.
    zero = np.where(bits == 0, numbers, np.int32(count - 1))
    zero = np.minimum.accumulate(zero[::-1])[::-1]
    steps = np.repeat(parameters + 1, lengths * 8)
    following = zero.copy()
    following[: steps.size] += steps
    escaped = zero - numbers >= ESCAPE
    following[escaped] = numbers[escaped] + _ESCAPED_BITS
    np.minimum(following, count - 1, out=following)

    begin, position = _follow(following, ((tops - lengths) * 8).astype(np.int32), width)
    _check_ends(bits, position, tops)
    quotient = zero[begin] - begin
    long = quotient >= ESCAPE
    place = begin + np.where(long, ESCAPE, quotient + 1)
    window = windows(packed)[np.minimum(place >> 3, packed.size - 8)]
    window = window >> (place & 7).astype(np.uint64)
    mask = (np.uint64(1) << parameters.astype(np.uint64)) - np.uint64(1)
    low = (window & mask).astype(np.uint32)
    symbols = quotient.astype(np.uint32) << parameters.astype(np.uint32) | low
    symbols[long] = window[long].astype(np.uint32)
    return (_unzigzag(symbols) + means).T


def _follow(
    following: np.ndarray, position: np.ndarray, width: int
) -> tuple[np.ndarray, np.ndarray]:
    """From the first bits of rows along `following`: where each code begins, width × rows, and
    where the rows end."""
    begin = np.empty((width, position.size), np.int32)
    if position.size <= _FEW_ROWS:
        # A step through a list costs a tenth of a step through an array of few elements.
        steps = following.tolist()
        for row, place in enumerate(position.tolist()):
            places = []
            for _ in range(width):
                places.append(place)
                place = steps[place]
            begin[:, row] = places
            position[row] = place
        return begin, position
    for column in range(width):
        begin[column] = position
        position = following[position]
    return begin, position


def _check_ends(bits: np.ndarray, position: np.ndarray, tops: np.ndarray) -> None:
    """All bits of every row were used but for zeros that fill its last byte."""
    left = tops * 8 - position
    sound = (left >= 0) & (left < 8)
    fill = position[:, None] + np.minimum(np.arange(7), np.maximum(left - 1, 0)[:, None])
    filled = (bits[np.minimum(fill, bits.size - 1)] != 0).any(1) & (left > 0)
    if not sound.all() or filled.any():
        raise MalformedRecord("a row has too few or too many bits")


def row_means(codes: np.ndarray) -> np.ndarray:
    """The means of rows (…×C, int64) in whole steps, halves up."""
    width = codes.shape[-1]
    return (2 * codes.sum(-1) + width) // (2 * width)


def reference_rows(codes: np.ndarray) -> np.ndarray:
    """For blocks N×V×C the mean of (code − row mean) over the views of each, halves up: N×C."""
    views = codes.shape[1]
    apart = codes - row_means(codes)[..., None]
    return (2 * apart.sum(1) + views) // (2 * views)


class EncodedRows:
    """The bytes of many rows, one after the other, in the order in which they were given."""

    def __init__(self, codes: np.ndarray, references: np.ndarray):
        """From rows × C int64 codes and their references."""
        means = row_means(codes)
        self._symbols = _zigzag(codes - means[:, None] - references)
        self._parameters, bits = _best_parameters(self._symbols)
        self._heads = _zigzag(means)
        self._head_sizes = variable_length_sizes(self._heads)
        # Of each row in bytes.
        self.sizes = self._head_sizes + 1 + (bits + 7) // 8

    def pack(self, chosen: np.ndarray) -> np.ndarray:
        """The bytes of the rows of those numbers."""
        sizes, parameters = self.sizes[chosen], self._parameters[chosen]
        starts = np.cumsum(sizes) - sizes
        firsts = starts + self._head_sizes[chosen] + 1
        total = int(sizes.sum())
        data = _pack_bits(self._symbols[chosen], parameters, firsts * 8, total)
        heads = self._heads[chosen].copy()
        for digit in range(5):
            here = digit < self._head_sizes[chosen]
            last = digit + 1 == self._head_sizes[chosen]
            data[starts[here] + digit] = ((heads & 0x7F) | np.where(last, 0, 0x80))[here]
            heads >>= 7
        data[firsts - 1] = parameters
        return data


def variable_length_sizes(values: np.ndarray) -> np.ndarray:
    """Bytes of numbers below 2^32 at seven bits a byte."""
    return 1 + (values[:, None] >= 1 << np.array([7, 14, 21, 28])).sum(1)


def variable_length(value: int) -> bytes:
    """One variable-length number: seven bits a byte, low ones first, the top bit on all but the
    last."""
    digits = bytearray()
    while value >= 0x80:
        digits.append(value & 0x7F | 0x80)
        value >>= 7
    digits.append(value)
    return bytes(digits)


def _best_parameters(symbols: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For rows of symbols the parameter that gives the fewest bits, and those bits."""
    last = min(int(symbols.max(initial=0)).bit_length(), LARGEST_PARAMETER)
    sizes = []
    for parameter in range(last + 1):
        quotients = symbols >> parameter
        bits = np.where(quotients >= ESCAPE, _ESCAPED_BITS, quotients + 1 + parameter)
        sizes.append(bits.sum(1))
    costs = np.stack(sizes)
    parameters = costs.argmin(0)
    return parameters, costs[parameters, np.arange(symbols.shape[0])]


def _pack_bits(
    symbols: np.ndarray, parameters: np.ndarray, firsts: np.ndarray, size: int
) -> np.ndarray:
    """`size` bytes with the codes of each row from its first bit on."""
    k = parameters[:, None]
    quotients = symbols >> k
    long = quotients >= ESCAPE
    ones = np.where(long, ESCAPE, quotients)
    low_bits = np.where(long, 32, k)
    lengths = ones + ~long + low_bits
    begin = np.cumsum(lengths, axis=1) - lengths + firsts[:, None]
    edges = np.zeros(size * 8 + 1, np.int8)
    # All begins differ, and all ends; a begin and an end meet where there are no ones.
    edges[begin] += 1
    edges[begin + ones] -= 1
    bits = np.cumsum(edges[:-1], dtype=np.int8).astype(np.uint8)
    place = begin + ones + ~long
    for bit in range(int(low_bits.max(initial=0))):
        here = bit < low_bits
        bits[place[here] + bit] = symbols[here] >> bit & 1
    return np.packbits(bits, bitorder="little")


def _zigzag(values: np.ndarray) -> np.ndarray:
    return (values << 1) ^ (values >> 63)


def _unzigzag(symbols: np.ndarray) -> np.ndarray:
    return (symbols >> np.uint32(1)).view(np.int32) ^ -(symbols & np.uint32(1)).view(np.int32)
