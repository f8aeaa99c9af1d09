"""sealed-bid-auction: who wins, at what price."""

from typing import Final

from sdk.examples.draw import seeded, whole
from sdk.examples.model import Case, Example, Input, NamedType
from veracruz_utils.encoding.pinecone import Value, decode, encode

_TERMS: Final = NamedType(
    "auction-terms", "{second_price: bool, reserve: u64}", "input 0 of sealed-bid-auction"
)
_BID: Final = NamedType("bid", "{bidder: String, amount: u64}", "a bid of sealed-bid-auction")
_SALE: Final = NamedType(
    "sale", "Option<{winner: String, price: u64}>", "result of sealed-bid-auction"
)
_BIDDERS: Final = 4


def _generate(seed: int, size: int) -> Case:
    """Four bids of up to `size`; every other seed sells at the second price."""
    random = seeded(seed)
    terms: Value = {"second_price": bool(seed % 2), "reserve": size // 4}
    bids: list[Value] = [
        {"bidder": f"bidder {number}", "amount": whole(random, 0, size)}
        for number in range(1, _BIDDERS + 1)
    ]
    return Case((encode(_TERMS.kind, terms), *(encode(_BID.kind, bid) for bid in bids)))


def _expected(case: Case) -> list[Value]:
    terms = decode(_TERMS.kind, case.inputs[0])
    assert isinstance(terms, dict)
    reserve = terms["reserve"]
    assert isinstance(reserve, int)
    offers: list[tuple[int, str]] = []
    for data in case.inputs[1:]:
        bid = decode(_BID.kind, data)
        assert isinstance(bid, dict)
        amount = bid["amount"]
        assert isinstance(amount, int)
        if amount >= reserve:
            offers.append((amount, str(bid["bidder"])))
    if not offers:
        return [None]
    ranked = sorted(offers, key=lambda offer: -offer[0])  # the first of equals stays first
    (amount, winner), *others = ranked
    second = others[0][0] if others else reserve
    return [{"winner": winner, "price": second if terms["second_price"] else amount}]


EXAMPLE: Final = Example(
    name="sealed-bid-auction",
    summary="who wins an auction, at what price, and nothing else",
    language="rust",
    inputs=(
        Input("terms", _TERMS.expression, "auctioneer"),
        *(Input(f"bid-{number}", _BID.expression, "bidder") for number in range(1, _BIDDERS + 1)),
    ),
    result=_SALE.expression,
    types=(_TERMS, _BID, _SALE),
    codes={-2: "no terms, or no bid", -4: "an input does not decode"},
    generate=_generate,
    expected=_expected,
)
